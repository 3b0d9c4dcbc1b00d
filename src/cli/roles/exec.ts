/** Enters a pod of a mesh that is up. */
import { AmbitError } from '../../base/errors.ts';
import { nodeExecArguments, podExecArguments } from '../../local/exec-command.ts';
import { findProgram, searchPath } from '../../local/find-program.ts';
import { findRun } from '../run-folders.ts';

/** The flags of the command. */
export interface ExecFlags {
  readonly namespace: string;
  readonly container?: string;
  readonly name?: string;
  readonly node?: string;
}

/** Replaces this process: terminal, signals and exit status are those of the command. */
export function runExec(environment: NodeJS.ProcessEnv, words: readonly string[], flags: ExecFlags): void {
  const { state } = findRun(environment, flags.name);
  const args = execArguments(state, words, flags);
  const path = searchPath(environment['PATH']);
  const nsenter = findProgram('nsenter', path);
  if (nsenter === undefined) throw new AmbitError('PROGRAMS_MISSING', 'nsenter not found: install util-linux');
  if (process.execve === undefined) throw new AmbitError('NODE_TOO_OLD', 'this needs the Node that ambit pins');
  process.execve(nsenter, [nsenter, ...args], definedVariables({ ...environment, PATH: path }));
}

function execArguments(
  state: ReturnType<typeof findRun>['state'],
  words: readonly string[],
  flags: ExecFlags,
): readonly string[] {
  if (flags.node !== undefined) {
    requireCommand(words, 'ambit exec --node NODE -- COMMAND...');
    return nodeExecArguments(state, flags.node, words);
  }
  const [name = '', ...command] = words;
  requireCommand(command, 'ambit exec [-n NAMESPACE] POD -- COMMAND...');
  return podExecArguments(state, { namespace: flags.namespace, name, container: flags.container ?? '' }, command);
}

function requireCommand(command: readonly string[], usage: string): void {
  if (command.length === 0) throw new AmbitError('EXEC_NO_COMMAND', `no command given: ${usage}`);
}

function definedVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) defined[name] = value;
  return defined;
}
