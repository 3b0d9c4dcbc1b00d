/** `ambit top`: the traffic of the mesh, live. */
import { type Command, Option } from 'commander';
import { outputOption, parseDuration, withMesh } from '../option-parsers.ts';
import type { TopFlags } from '../roles/top.ts';
import { SUCCESS_AND_DENIED } from '../traffic-columns.ts';

const WINDOW_MS = 2000;

/** Adds the command. */
export function addTopCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const by = new Option('--by <what>', 'what a row is').choices(['service', 'workload', 'edge']).default('service');
  const window = new Option('--window <duration>', 'time between two tables').argParser(parseDuration);
  withMesh(program.command('top'))
    .description(
      'show the busiest services, workloads or edges: rates, success, latencies; again and again on a terminal',
    )
    .addOption(by)
    .option('-n, --namespace <namespace>', 'traffic that begins or ends there (all)')
    .addOption(window.default(WINDOW_MS, `${WINDOW_MS / 1000}s`))
    .option('--once', 'one table, on a terminal too', false)
    .addOption(outputOption(['json', 'yaml']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: TopFlags) => {
      const { runTop } = await import('../roles/top.ts');
      await runTop(flags, environment);
    });
}

const EXAMPLES = `
Requests are seen where a waypoint is in the way; else connections. A row of a workload is what it is asked, an edge is
CLIENT > SERVER. Where the output is no terminal there is one table.

${SUCCESS_AND_DENIED}
Connections of a service are those of its clients: what its waypoint opens for them is not counted again.

Examples:
  ambit top
  ambit top --by workload -n shop
  ambit top --by edge --window 10s --once
  ambit top --once -o json | jq '.[] | select(.successShare < 0.99)'`;
