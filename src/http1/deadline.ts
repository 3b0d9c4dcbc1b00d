/** One deadline that moves often: the timer behind it is set anew only when it comes closer, or when it fired early. */
import type { Clock, Timer } from '../base/clock.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #onPassed: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  #timerMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(clock: Clock, onPassed: () => void) {
    this.#clock = clock;
    this.#onPassed = onPassed;
  }

  /** Calls `onPassed` in `delayMs` unless it is set again or cleared before; 0 is no deadline. */
  set(delayMs: number): void {
    if (delayMs === 0) return this.clear();
    this.#dueMs = this.#clock.monotonicMs() + delayMs;
    if (this.#dueMs < this.#timerMs) this.#arm(delayMs);
  }

  /** Nothing is due; a timer that still runs finds nothing to do. */
  clear(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  /** Ends it for good. */
  stop(): void {
    this.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timerMs = this.#clock.monotonicMs() + delayMs;
    this.#timer = this.#clock.after(delayMs, () => this.#fired());
  }

  #fired(): void {
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
    if (this.#dueMs === Number.POSITIVE_INFINITY) return;
    const leftMs = this.#dueMs - this.#clock.monotonicMs();
    // A timer may fire a fraction of a millisecond early.
    if (leftMs >= 1) return this.#arm(leftMs);
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#onPassed();
  }
}
