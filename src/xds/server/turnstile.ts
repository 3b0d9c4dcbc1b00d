/**
 * Lets a few in at a time. Proxies that come back say what they hold, megabytes each in a large mesh: read from all of them
 * at once, it would not fit into memory.
 *
 * Invariant: who is in for `patienceMs` no longer counts, so that one that does nothing holds nobody back.
 */
import type { Clock } from '../../base/clock.ts';

export interface TurnstileOptions {
  readonly places: number;
  readonly patienceMs: number;
}

export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #clock: Clock;
  readonly #waiting: ((leave: () => void) => void)[] = [];
  #inside = 0;

  constructor(options: TurnstileOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Calls `run` now or when there is a place; it calls `leave` when it is through. Leaving twice does nothing. */
  enter(run: (leave: () => void) => void): void {
    this.#waiting.push(run);
    this.#next();
  }

  #next(): void {
    while (this.#inside < this.#options.places) {
      const run = this.#waiting.shift();
      if (run === undefined) return;
      this.#inside++;
      run(this.#leaving());
    }
  }

  #leaving(): () => void {
    let isInside = true;
    const leave = () => {
      if (!isInside) return;
      isInside = false;
      patience.cancel();
      this.#inside--;
      this.#next();
    };
    const patience = this.#clock.after(this.#options.patienceMs, leave);
    return leave;
  }
}
