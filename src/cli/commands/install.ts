/** `ambit install`, `ambit upgrade` and `ambit uninstall`. */
import { type Command, Option } from 'commander';
import { collect, parseDuration, withCluster } from '../option-parsers.ts';
import type { InstallFlags } from '../roles/install.ts';
import type { UninstallFlags } from '../roles/uninstall.ts';

const TIMEOUT_MS = 300_000;

/** Adds the commands. */
export function addInstallCommands(program: Command, environment: NodeJS.ProcessEnv): void {
  withValues(clusterCommand(program, 'install', 'put the mesh into a cluster, or bring it to what the flags say'))
    .addHelpText('after', INSTALL_EXAMPLES)
    .action(async (flags: InstallFlags) => {
      const { runInstall } = await import('../roles/install.ts');
      await runInstall(flags, environment);
    });
  withValues(clusterCommand(program, 'upgrade', 'bring an installed mesh to this version; its values stay'))
    .option('--reset-values', 'start from the defaults, not from the values of the installation', false)
    .action(async (flags: InstallFlags) => {
      const { runUpgrade } = await import('../roles/install.ts');
      await runUpgrade(flags, environment);
    });
  clusterCommand(program, 'uninstall', 'take the mesh out of a cluster; pods go on in plaintext')
    .option('--force', 'go on when pods stay redirected: they are refused everything until they restart', false)
    .option('--purge', 'delete the CRDs with all their objects, the root key and the namespace too', false)
    .action(async (flags: UninstallFlags) => {
      const { runUninstall } = await import('../roles/uninstall.ts');
      await runUninstall(flags, environment);
    });
}

const INSTALL_EXAMPLES = `
Examples:
  ambit check --pre                               what the cluster lacks
  ambit install --wait --set image.repository=registry.example/ambit
  ambit install --set control.replicas=1 --set logLevel=debug
  ambit install --dry-run | kubectl diff -f -

No registry has the default image: see docs/kubernetes.md for how it gets to the nodes.`;

function clusterCommand(program: Command, name: string, description: string): Command {
  const command = withCluster(program.command(name).description(description));
  const timeout = new Option('--timeout <duration>', 'how long each wait may take').argParser(parseDuration);
  return command.addOption(timeout.default(TIMEOUT_MS, `${TIMEOUT_MS / 60_000}m`));
}

function withValues(command: Command): Command {
  return command
    .option('-f, --values <file>', 'YAML of values, see deploy/helm/ambit/values.yaml; repeat it', collect)
    .option('--set <path=value>', 'one value; repeat it', collect)
    .option('--dry-run', 'print the objects and change nothing', false)
    .option('--wait', 'wait until all parts are ready', false)
    .option('--no-crds', 'leave out the CRDs: something else installs them');
}
