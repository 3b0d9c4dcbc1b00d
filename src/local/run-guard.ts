/**
 * Clears the run folder of a mesh whose supervisor was killed: it holds keys and tokens that nobody else would remove.
 *
 * Invariants:
 * - The guard does nothing while the supervisor lives, and nothing when it was dismissed.
 * - It removes a folder only while that still names the killed supervisor, so that a mesh started since is left alone.
 */
import { spawn } from 'node:child_process';
import type { RunFolder } from './run-folder.ts';

/**
 * $1 folder, $2 how its state names the supervisor, $3 what stays. The end of standard input is the end of the
 * supervisor; processes of the mesh that are just ending may still write, so removing is tried for some seconds.
 */
const GUARD = `
read -r word && exit 0
cd /
tries=0
while [ "$tries" -lt 50 ]; do
  tries=$((tries + 1))
  if [ -e "$1/state.json" ] && ! grep -qF "$2" "$1/state.json"; then exit 0; fi
  find "$1" -mindepth 1 -maxdepth 1 ! -name "$3" -exec rm -rf {} + 2>/dev/null &&
    { [ -n "$3" ] || rmdir "$1"; } 2>/dev/null && exit 0
  [ -e "$1" ] || exit 0
  sleep 0.1
done
`;

export interface RunGuardOptions {
  readonly folder: RunFolder;
  /** The supervisor, as the state of the folder names it. */
  readonly owner: { readonly pid: number; readonly startTime: string };
  readonly keepLogs: boolean;
}

/** A process of its own that outlives this one. */
export interface RunGuard {
  /** The folder was cleared, or shall stay: ends the guard. */
  dismiss(): void;
}

/** Starts the guard. */
export function guardRun({ folder, owner, keepLogs }: RunGuardOptions): RunGuard {
  const named = JSON.stringify({ pid: owner.pid, startTime: owner.startTime }).slice(1, -1);
  const child = spawn('sh', ['-c', GUARD, 'ambit-guard', folder.path, named, keepLogs ? 'logs' : ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  // Without a guard a killed mesh leaves its folder to the next start.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return { dismiss: () => void child.stdin.end('done\n') };
}
