/** Ends a mesh that is up. */
import { sleep, systemClock } from '../../base/clock.ts';
import { AmbitError } from '../../base/errors.ts';
import { isAlive } from '../../local/run-folder.ts';
import { findRun } from '../run-folders.ts';

const GRACE_MS = 10_000;
const POLL_MS = 50;

/** First by SIGTERM, then by force. @throws AmbitError RUN_NOT_UP, RUN_WILL_NOT_END */
export async function runDown(environment: NodeJS.ProcessEnv, name: string | undefined): Promise<void> {
  const { state } = findRun(environment, name);
  // A timer of its own keeps the process alive: those of the clock do not.
  const alive = setInterval(() => undefined, 1000);
  try {
    process.kill(state.pid, 'SIGTERM');
    if (await endsWithin(state, GRACE_MS)) return;
    // The start time was compared a moment ago: this is still the process that was recorded.
    process.kill(state.pid, 'SIGKILL');
    if (await endsWithin(state, GRACE_MS)) return;
    throw new AmbitError('RUN_WILL_NOT_END', `process ${state.pid} does not end, not even by SIGKILL`);
  } finally {
    clearInterval(alive);
  }
}

async function endsWithin(state: Parameters<typeof isAlive>[0], durationMs: number): Promise<boolean> {
  const deadlineMs = systemClock.monotonicMs() + durationMs;
  while (systemClock.monotonicMs() < deadlineMs) {
    if (!isAlive(state)) return true;
    await sleep(systemClock, POLL_MS);
  }
  return false;
}
