/** `ambit control`: the control plane over folders of manifests. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../../base/duration.ts';
import type { ControlFlags } from '../roles/control.ts';

/** Adds the command. */
export function addControlCommand(program: Command): void {
  program
    .command('control')
    .description('run the control plane over folders of manifests: discovery, policies, certificates')
    .requiredOption('--config <folder>', 'folder of Kubernetes manifests; repeat it, the first one wins', collect)
    .requiredOption('--token-keys <file>', "public keys (PEM or JWKS) that signed the callers' tokens")
    .requiredOption('--ca-dir <folder>', 'certificate authority in the cacerts layout; made when it is empty')
    .option('--host <address>', 'address of the gRPC server', '0.0.0.0')
    .option('--grpc-port <port>', 'port of the gRPC server (TLS)', parsePortNumber, 15012)
    .option('--http-host <address>', 'address of /ready, /debug/ambientz, /debug/statusz', '127.0.0.1')
    .option('--http-port <port>', 'port of these', parsePortNumber, 8080)
    .option('--no-own-root', 'never make or rotate a root; the folder has to hold one')
    .option('--root-key <type>', 'key of an own root: ec or rsa', chooseFrom('ec', 'rsa'), 'ec')
    .option('--cert-ttl <duration>', 'lifetime of certificates that ask for none (24h)', parseDuration)
    .option('--max-cert-ttl <duration>', 'longest lifetime that is granted (2160h)', parseDuration)
    .option('--root-overlap <duration>', 'how long a next root is known before it signs (48h)', parseDuration)
    .option('--token-audience <text>', 'audience that tokens need', 'istio-ca')
    .option('--token-issuer <text>', 'issuer that tokens need (any)')
    .option('--node-account <account>', 'account of node proxies (istio-system/ztunnel); repeat it', collect)
    .option('--dns-name <name>', 'one more name in the server certificate; repeat it', collect)
    .option('--status-file <file>', 'where to write what is in force and what was refused')
    .option('--trust-domain <name>', 'trust domain of identities', 'cluster.local')
    .option('--cluster-domain <name>', 'domain of service host names', 'cluster.local')
    .option('--cluster-id <name>', 'name of this cluster', 'Kubernetes')
    .option('--network <name>', 'network of all addresses', '')
    .option('--root-namespace <name>', 'namespace whose policies hold for the mesh', 'istio-system')
    .option('--missing-waypoint <answer>', 'closed or open', chooseFrom('closed', 'open'), 'closed')
    .option('--log-level <filter>', 'such as info or info,xds=debug', 'info')
    .option('--log-format <format>', 'plain or json', chooseFrom('plain', 'json'), 'plain')
    .action(async (flags: ControlFlags) => {
      const { runControl } = await import('../roles/control.ts');
      await runControl(flags);
    });
}

function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function parsePortNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65535) return port;
  throw new InvalidArgumentError('a port from 0 to 65535 is needed.');
}

function parseDuration(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('a duration such as 30s, 5m or 24h is needed.');
}

function chooseFrom(...words: readonly string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`one of ${words.join(', ')} is needed.`);
  };
}
