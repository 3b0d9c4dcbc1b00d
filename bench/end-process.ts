/** How programs of the benches end. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Ends a program with the bench, however that ends: put in front of a command that stays root's. */
export const ENDS_WITH_BENCH = ['setpriv', '--pdeathsig', 'KILL'];

/** Ends a program, if it runs, and resolves when it is gone: its ports are free then. */
export async function endProcess(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
