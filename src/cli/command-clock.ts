/** The clock of commands that people run: a command that waits is not over. */
import { type Clock, systemClock } from '../base/clock.ts';

/** Timers keep the process alive. */
export const commandClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
