/** `ambit status`: whether the programs of the mesh are well. */
import type { Command } from 'commander';
import { outputOption, withMesh } from '../option-parsers.ts';
import type { StatusFlags } from '../roles/status.ts';

/** Adds the command. */
export function addStatusCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('status'))
    .description(
      'show every program of the mesh: version, configuration in sync, certificates, connections; ' +
        'the exit status is 1 when one is not well',
    )
    .addOption(outputOption(['json', 'yaml', 'wide']))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: StatusFlags) => {
      const { runStatus } = await import('../roles/status.ts');
      await runStatus(flags, environment);
    });
}

const EXAMPLES = `
CONFIG is SYNCED when a proxy took all that it was sent, STALE while something is on its way, ERROR when it refused the
last, NOT CONNECTED when no control plane has it. AGE is the time since its last update.
Of an agent it is known whether it runs, and when it ended last.

Examples:
  ambit status
  ambit status -o wide                   with nodes, addresses, and which control plane feeds whom
  ambit status -o json | jq '.[] | select(.config.state != "SYNCED")'`;
