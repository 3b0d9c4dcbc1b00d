/** Time as a dependency, so that tests decide what time it is. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Milliseconds that only ever grow; for durations. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the handle cancels it. Timers do not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

/** A pending call that can be cancelled. Cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** setTimeout fires at once for delays above this. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A promise that resolves after `delayMs`, or at once when `signal` aborts. It does not keep the process alive. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      signal?.removeEventListener('abort', finish);
      timer.cancel();
      resolve();
    };
    const timer = clock.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
