/** How options of several commands are read, and those options themselves. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../base/duration.ts';

/** An option that may be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** In milliseconds. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('a duration such as 30s, 5m or 24h is needed.');
}

/** `-o` of commands that print a table. */
export function outputOption(formats: readonly string[]): Option {
  return new Option('-o, --output <format>', 'in place of a table').choices(formats);
}

/** 0 to 65535. @throws InvalidArgumentError */
export function parsePortOption(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('a port from 0 to 65535 is needed.');
}

/** The options of commands that look at a mesh, wherever it is, see `MeshFlags`. */
export function withMesh(command: Command): Command {
  return command
    .option('--name <name>', 'a mesh of ambit up (the only one that is up, if any)')
    .option('--kubeconfig <file>', 'the mesh of a cluster, as for kubectl')
    .option('--context <name>', 'context of the kubeconfig (its current one)')
    .option('--mesh-namespace <namespace>', 'where the mesh of the cluster is installed (istio-system)');
}

/** The options of commands about a cluster, see `ClusterFlags`. */
export function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'as for kubectl')
    .option('--context <name>', 'context of the kubeconfig (its current one)')
    .option('-n, --namespace <namespace>', 'namespace of the mesh', 'istio-system');
}
