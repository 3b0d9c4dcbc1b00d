/**
 * Token buckets against floods of cheap frames (facts performance-and-reliability B.2 rows 1, 2, 5).
 *
 * A bucket reads the clock only when it has run empty, so that ordinary traffic never does.
 */
import type { Clock } from '../base/clock.ts';

export interface BudgetOptions {
  /** Tokens of a full bucket. */
  readonly burst: number;
  readonly perSecond: number;
}

export class FloodBudget {
  readonly #clock: Clock;
  readonly #options: BudgetOptions;
  #tokens: number;
  #filledAtMs: number;

  constructor(clock: Clock, options: BudgetOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Spends a token. Returns false when there is none left: the peer floods. */
  take(): boolean {
    if (this.#tokens < 1) this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Gives tokens for something that earns them, up to the burst. */
  earn(tokens: number): void {
    if (this.#tokens < this.#options.burst) this.#tokens += tokens;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#filledAtMs) * this.#options.perSecond) / 1000;
    this.#tokens = Math.min(this.#options.burst, this.#tokens + earned);
    this.#filledAtMs = nowMs;
  }
}

/** The budgets of one connection, by what a peer can flood with. */
export interface FloodBudgetOptions {
  /** Streams the peer reset before an answer and streams that had to be reset for its faults, together. */
  readonly reset: BudgetOptions;
  /** SETTINGS, PRIORITY, GOAWAY, unknown frames, RST_STREAM for closed streams. */
  readonly control: BudgetOptions;
  /**
   * PING. A DATA frame sent earns one back: gRPC of Go measures the path with one for as much as each of them. SETTINGS
   * that earned themselves so would never end: each can grow the window of every stream by the byte that the next one needs.
   */
  readonly ping: BudgetOptions;
  /** DATA without data and without END_STREAM. */
  readonly empty: BudgetOptions;
  /** WINDOW_UPDATE; DATA sent earns some back, since peers answer it with updates in small steps. */
  readonly window: BudgetOptions;
}

/** Far above what any known client does, far below what hurts. */
export const DEFAULT_FLOOD_BUDGETS: FloodBudgetOptions = {
  reset: { burst: 500, perSecond: 100 },
  control: { burst: 1000, perSecond: 100 },
  ping: { burst: 1000, perSecond: 100 },
  empty: { burst: 200, perSecond: 50 },
  window: { burst: 2000, perSecond: 200 },
};
