/** The `ambit` command: one sub-command per role and per question. */
import { Command } from 'commander';
import { addAgentCommand } from './commands/agent.ts';
import { addAnalyzeCommand } from './commands/analyze.ts';
import { addAuthzCommand } from './commands/authz.ts';
import { addBugReportCommand } from './commands/bug-report.ts';
import { addCheckCommand } from './commands/check.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addControlCommand } from './commands/control.ts';
import { addDashboardCommand } from './commands/dashboard.ts';
import { addDownCommand } from './commands/down.ts';
import { addDumpCommand } from './commands/dump.ts';
import { addEdgesCommand } from './commands/edges.ts';
import { addExecCommand } from './commands/exec.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addHelpCommand } from './commands/help.ts';
import { addInstallCommands } from './commands/install.ts';
import { addLogLevelCommand } from './commands/log-level.ts';
import { addProfileCommand } from './commands/profile.ts';
import { addStatusCommand } from './commands/status.ts';
import { addStrictCommand } from './commands/strict.ts';
import { addTapCommand } from './commands/tap.ts';
import { addTopCommand } from './commands/top.ts';
import { addUpCommand } from './commands/up.ts';
import { addUpInnerCommand } from './commands/up-inner.ts';
import { addWaypointCommands } from './commands/waypoint.ts';
import { addZtunnelCommand } from './commands/ztunnel.ts';
import { VERSION } from './version.ts';

/** The exit status when the words of a command are wrong. */
const USAGE_STATUS = 2;

/** Builds the command tree. */
export function createProgram(environment: NodeJS.ProcessEnv): Command {
  const program = new Command('ambit')
    .description('a service mesh without sidecars')
    .version(VERSION, '-V, --version')
    .enablePositionalOptions()
    // A typo is told from an answer such as "refused", which is status 1. Set before the commands, which inherit it.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE_STATUS));
  addUpCommand(program, environment);
  addUpInnerCommand(program, environment);
  addExecCommand(program, environment);
  addDownCommand(program, environment);
  addCheckCommand(program, environment);
  addAnalyzeCommand(program, environment);
  addStatusCommand(program, environment);
  addTopCommand(program, environment);
  addTapCommand(program, environment);
  addEdgesCommand(program, environment);
  addDashboardCommand(program, environment);
  addExplainCommand(program, environment);
  addAuthzCommand(program, environment);
  addStrictCommand(program, environment);
  addDumpCommand(program, environment);
  addLogLevelCommand(program, environment);
  addProfileCommand(program, environment);
  addBugReportCommand(program, environment);
  addInstallCommands(program, environment);
  addWaypointCommands(program, environment);
  addControlCommand(program, environment);
  addAgentCommand(program, environment);
  addZtunnelCommand(program, environment);
  addCompletionCommand(program);
  addHelpCommand(program);
  nameOwnHelp(program, 'ambit');
  return program;
}

/** After what is wrong with the words of a command comes where its own words are. */
function nameOwnHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help says what it takes)`);
  for (const one of command.commands) nameOwnHelp(one, `${path} ${one.name()}`);
}
