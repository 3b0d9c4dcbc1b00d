import type { Clock } from '../../src/base/clock.ts';

/** A clock that stands still until `advance` is called. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { readonly dueMs: number; readonly run: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void) {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Delays of the timers that wait, from now. */
  get waitingMs(): number[] {
    return this.#timers.map(({ dueMs }) => dueMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Lets time pass; timers fire in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = endMs;
  }
}
