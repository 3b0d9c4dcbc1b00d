/** `ambit dashboard`: the mesh in a browser. */
import { type Command, Option } from 'commander';
import { collect, parsePortOption, withMesh } from '../option-parsers.ts';
import type { ClusterDashboardFlags } from '../roles/cluster-dashboard.ts';
import type { DashboardFlags } from '../roles/dashboard.ts';

/** Adds the command. */
export function addDashboardCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const port = new Option('--port <port>', 'on 127.0.0.1; 0 for any that is free')
    .argParser(parsePortOption)
    .default(0);
  const hosts = new Option('--host <names>', 'names that browsers call it by, with commas (with --in-cluster)')
    .argParser(collect)
    .default([], 'addresses and localhost');
  const inCluster = new Option(
    '--in-cluster',
    'as a program of the cluster, at all addresses: viewers log in and see what their own rights give them',
  ).conflicts(['name', 'kubeconfig', 'context', 'meshNamespace']);
  withMesh(program.command('dashboard'))
    .description('serve a live graph of the mesh to a browser of this machine')
    .addOption(port)
    .option('--prometheus <url>', 'a Prometheus that scrapes the proxies, for histories of more than an hour')
    .addOption(inCluster)
    .addOption(hosts)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: DashboardFlags & ClusterDashboardFlags & { readonly inCluster?: boolean }) => {
      if (flags.inCluster === true) {
        const { runClusterDashboard } = await import('../roles/cluster-dashboard.ts');
        return runClusterDashboard(flags, environment);
      }
      const { runDashboard } = await import('../roles/dashboard.ts');
      await runDashboard(flags, environment);
    });
}

const EXAMPLES = `
It asks the proxies themselves every two seconds and keeps an hour in memory; it changes nothing. On a cluster it has the
rights of your kubeconfig: listing pods, and forwarding their ports.

Examples:
  ambit dashboard                        of the mesh that is up here, else of the kubeconfig's cluster
  ambit dashboard --context prod --port 9000`;
