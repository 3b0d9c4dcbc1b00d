/** `ambit log-level`: what a proxy logs. */
import type { Command } from 'commander';
import { withMesh } from '../option-parsers.ts';
import type { LogLevelFlags } from '../roles/log-level.ts';

/** Adds the command. */
export function addLogLevelCommand(program: Command, environment: NodeJS.ProcessEnv): void {
  withMesh(program.command('log-level <proxy> [level]'))
    .description('show or set the log level of a ztunnel or waypoint, until it starts again')
    .option('--reset', 'back to what it started with', false)
    .addHelpText('after', EXAMPLES)
    .action(async (proxy: string, level: string | undefined, flags: LogLevelFlags) => {
      const { runLogLevel } = await import('../roles/log-level.ts');
      await runLogLevel(proxy, level, flags, environment);
    });
}

const EXAMPLES = `
Levels are trace, debug, info, warn, error, off: of all, or of scopes.

Examples:
  ambit log-level ztunnel-node1
  ambit log-level ztunnel-node1 debug
  ambit log-level shop/waypoint access=debug,xds=trace
  ambit log-level shop/waypoint --reset`;
