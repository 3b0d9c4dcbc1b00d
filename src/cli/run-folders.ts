/** Finds the folder of a mesh that is up. */
import { AmbitError } from '../base/errors.ts';
import {
  isAlive,
  livingRuns,
  type RunFolder,
  type RunState,
  readState,
  runFolderBase,
  runFolderOf,
} from '../local/run-folder.ts';
import { DEFAULT_RUN_NAME } from './run-name.ts';

/** The folder for meshes of this user. */
export function runBase(environment: NodeJS.ProcessEnv): string {
  return runFolderBase(environment['XDG_RUNTIME_DIR'], process.getuid?.() ?? 0);
}

/**
 * The mesh of a name, or the only one that is up.
 * @throws AmbitError RUN_NOT_UP with the names of those that are
 */
export function findRun(
  environment: NodeJS.ProcessEnv,
  name: string | undefined,
): { readonly folder: RunFolder; readonly state: RunState } {
  const base = runBase(environment);
  const living = livingRuns(base);
  const chosen = name ?? (living.length === 1 ? living[0]?.name : undefined) ?? DEFAULT_RUN_NAME;
  const folder = runFolderOf(base, chosen);
  const state = readState(folder);
  if (state !== undefined && isAlive(state)) return { folder, state };
  const names = living.map((run) => run.name).join(', ');
  const hint = names === '' ? "start one with 'ambit up DIR'" : `up are: ${names}`;
  throw new AmbitError('RUN_NOT_UP', `no mesh called ${chosen} is up; ${hint}`);
}
