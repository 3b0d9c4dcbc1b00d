/** `ambit waypoint`: waypoints of a cluster, and a look at those of `ambit up`, as `istioctl waypoint` has it (facts l7-and-control 5.1). */
import { type Command, Option } from 'commander';
import { parseDuration } from '../option-parsers.ts';
import type { WaypointApplyFlags, WaypointGenerateFlags } from '../roles/waypoint-apply.ts';
import type { WaypointDeleteFlags } from '../roles/waypoint-delete.ts';
import type { WaypointListFlags, WaypointStatusFlags } from '../roles/waypoint-list.ts';

const TIMEOUT_MS = 90_000;

/** Adds the commands. */
export function addWaypointCommands(program: Command, environment: NodeJS.ProcessEnv): void {
  const waypoint = program
    .command('waypoint')
    .description('ask for waypoints, which route and check requests, and see how they are')
    .addHelpText('after', EXAMPLES);
  addApply(waypoint, environment);
  withRequest(waypoint.command('generate').description('print the Gateway that asks for a waypoint')).action(
    async (flags: WaypointGenerateFlags) => {
      const { runWaypointGenerate } = await import('../roles/waypoint-apply.ts');
      runWaypointGenerate(flags);
    },
  );
  withCluster(waypoint.command('delete [names...]').description('take waypoints away'))
    .option('--all', 'all of the namespace', false)
    .action(async (names: string[], flags: WaypointDeleteFlags) => {
      const { runWaypointDelete } = await import('../roles/waypoint-delete.ts');
      await runWaypointDelete(names, flags, environment);
    });
  withLocal(withOutput(withCluster(waypoint.command('list').description('list waypoints')))).action(
    async (flags: WaypointListFlags) => {
      const { runWaypointList } = await import('../roles/waypoint-list.ts');
      await runWaypointList(flags, environment);
    },
  );
  const status = waypoint.command('status [names...]');
  status.description('say whether waypoints are ready; the exit status is 1 when one is not');
  withWait(withLocal(withOutput(withCluster(status)))).action(async (names: string[], flags: WaypointStatusFlags) => {
    const { runWaypointStatus } = await import('../roles/waypoint-list.ts');
    await runWaypointStatus(names, flags, environment);
  });
}

const EXAMPLES = `
Examples:
  ambit waypoint apply -n shop --enroll-namespace --wait     all services of shop go through a waypoint
  ambit waypoint apply -n shop --name pods --for workload    one for traffic to pods themselves
  ambit waypoint generate -n shop | kubectl apply -f -
  ambit waypoint status -n shop
  ambit waypoint delete -n shop --all

Where a mesh of ambit up is up, list and status show its waypoints, of all namespaces unless one is named; there they are
asked for, changed and deleted in the manifests.`;

function addApply(waypoint: Command, environment: NodeJS.ProcessEnv): void {
  const apply = waypoint.command('apply').description('ask for a waypoint, or change what was asked for');
  withWait(withCluster(withRequest(apply)))
    .option('--enroll-namespace', 'label the namespace so that all of it uses the waypoint', false)
    .option('--overwrite', 'with --enroll-namespace: also where the namespace uses another one', false)
    .action(async (flags: WaypointApplyFlags) => {
      const { runWaypointApply } = await import('../roles/waypoint-apply.ts');
      await runWaypointApply(flags, environment);
    });
}

function withRequest(command: Command): Command {
  const traffic = new Option('--for <traffic>', 'which traffic it takes (as its class says, else service)');
  const named = command.option('--name <name>', 'name of the waypoint', 'waypoint');
  if (command.name() === 'generate') named.option('-n, --namespace <namespace>', 'namespace of the waypoint');
  return named
    .addOption(traffic.choices(['service', 'workload', 'all', 'none']))
    .option('--revision <revision>', 'revision of the control plane that looks after it');
}

/** Its `-n` is that of people's objects, not of the mesh. */
function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'as for kubectl')
    .option('--context <name>', 'context of the kubeconfig (its current one)')
    .option('-n, --namespace <namespace>', 'namespace of the waypoint (that of the context)');
}

function withOutput(command: Command): Command {
  return command
    .option('-A, --all-namespaces', 'those of all namespaces', false)
    .addOption(new Option('-o, --output <format>', 'in place of a table').choices(['json', 'yaml']));
}

/** These only look, so that a mesh of `ambit up`, whose manifests are files, can be meant as well. */
function withLocal(command: Command): Command {
  return command.option('--name <name>', 'a mesh of ambit up (the only one that is up, if any)');
}

function withWait(command: Command): Command {
  const timeout = new Option('--timeout <duration>', 'how long --wait may take').argParser(parseDuration);
  return command
    .option('--wait', 'wait until it is ready', false)
    .addOption(timeout.default(TIMEOUT_MS, `${TIMEOUT_MS / 1000}s`));
}
