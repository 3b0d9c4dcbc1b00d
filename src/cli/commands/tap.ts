/** `ambit tap`: what happens just now, one line each. */
import { type Command, InvalidArgumentError } from 'commander';
import { outputOption, parseDuration, withMesh } from '../option-parsers.ts';
import type { TapFlags } from '../roles/tap.ts';

const DEFAULT_MAX_RPS = 100;

/** Adds the command. */
export function addTapCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('tap'))
    .description('show requests and connections as they end, without changing any configuration')
    .option('-n, --namespace <namespace>', 'of either end (all)')
    .option('--workload <name>', 'a pod of either end, or the beginning of its name')
    .option('--method <method>', 'requests with it')
    .option('--path <path>', 'requests whose path begins with it')
    .option('--status <status>', 'requests that were answered so: 404, or 5xx for all of them', parseStatus)
    .option('--max-rps <count>', 'how many a second from each proxy', parseCount, DEFAULT_MAX_RPS)
    .option('--count <count>', 'end after so many', parseCount)
    .option('--for <duration>', 'end after this time', parseDuration)
    .addOption(outputOption(['json']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: TapFlags) => {
      const { runTap } = await import('../roles/tap.ts');
      await runTap(flags, environment);
    });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('a whole number from 1 is needed.');
}

function parseStatus(text: string): string {
  if (/^[1-5](?:\d\d|xx)$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('a status such as 404, or 5xx is needed.');
}

const EXAMPLES = `
Requests come from waypoints, connections from ztunnels, which see a connection at either end. What is more than
--max-rps is left out and counted. Parameters whose names say that they carry secrets (password, token, api_key, code,
signature, ...) are masked, unlike in the access log; headers and bodies are not shown. Of a long path its beginning is.

Examples:
  ambit tap -n shop
  ambit tap -n shop --status 5xx
  ambit tap --workload cart --path /items --method POST -o json
  ambit tap --for 30s -o json > seen.jsonl`;
