/** `ambit edges`: the traffic between workloads, as their proxies count it. */
import { type Command, Option } from 'commander';
import { outputOption, parseDuration, withMesh } from '../option-parsers.ts';
import type { EdgesFlags } from '../roles/edges.ts';
import { SUCCESS_AND_DENIED } from '../traffic-columns.ts';

const WINDOW_MS = 5000;

/** Adds the command. */
export function addEdgesCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const window = new Option('--window <duration>', 'how long traffic is watched').argParser(parseDuration);
  withMesh(program.command('edges'))
    .description('show who calls whom: identities, mutual TLS, rates, success, latencies')
    .option('-n, --namespace <namespace>', 'edges that begin or end there (all)')
    .addOption(window.default(WINDOW_MS, `${WINDOW_MS / 1000}s`))
    .addOption(outputOption(['json', 'yaml', 'wide']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EdgesFlags) => {
      const { runEdges } = await import('../roles/edges.ts');
      await runEdges(flags, environment);
    });
}

const EXAMPLES = `
Requests are seen where a waypoint is in the way; else connections.
${SUCCESS_AND_DENIED}
BYTES_IN and BYTES_OUT are of bodies where requests are seen, else of connections.

Examples:
  ambit edges -n shop                    what happens around namespace shop
  ambit edges --window 30s -o wide       with identities and bytes, over half a minute
  ambit edges -o json | jq '.[] | select(.mutualTls | not)'`;
