/** `ambit check`: whether a cluster can take the mesh. */
import type { Command } from 'commander';
import { withCluster } from '../option-parsers.ts';
import type { CheckFlags } from '../roles/check.ts';

/** Adds the command. */
export function addCheckCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  const command = program
    .command('check')
    .description('say what a cluster lacks; the exit status is 1 when something keeps the mesh from working')
    .usage('--pre [options]')
    .requiredOption('--pre', 'before an installation (required: there is no other check yet)');
  withCluster(command)
    .option('-o, --output <format>', 'json')
    .action(async (flags: CheckFlags) => {
      const { runCheck } = await import('../roles/check.ts');
      await runCheck(flags, environment);
    });
}
