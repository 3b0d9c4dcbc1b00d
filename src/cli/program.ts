/** The `ambit` command: one sub-command per role and per question. */
import { Command } from 'commander';
import { addZtunnelCommand } from './commands/ztunnel.ts';
import { VERSION } from './version.ts';

/** Builds the command tree. */
export function createProgram(environment: NodeJS.ProcessEnv): Command {
  const program = new Command('ambit')
    .description('a service mesh without sidecars')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('(run ambit help for the commands)');
  addZtunnelCommand(program, environment);
  return program;
}
