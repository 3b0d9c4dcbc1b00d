/** How many retries there may be at a time: a share of the requests (facts l7-and-control 2.3, 10.6). */

export interface RetryBudgetSettings {
  /** Of the requests that count. */
  readonly percent: number;
  /** Allowed however few requests there are. */
  readonly minConcurrency: number;
  /** For so long a request counts after its end; 0: only while it is under way. */
  readonly intervalMs: number;
}

/** The interval is counted in parts, each of which is forgotten as a whole. */
const PARTS = 10;

export class RetryBudget {
  readonly #settings: RetryBudgetSettings;
  readonly #ended: number[] = new Array<number>(PARTS).fill(0);
  #part = 0;

  constructor(settings: RetryBudgetSettings) {
    this.#settings = settings;
  }

  /** A request is over. @param nowMs monotonic */
  requestEnded(nowMs: number): void {
    if (this.#settings.intervalMs === 0) return;
    this.#forget(nowMs);
    const index = this.#part % PARTS;
    this.#ended[index] = (this.#ended[index] ?? 0) + 1;
  }

  /** Retries that there may be at a time. @param active requests under way @param nowMs monotonic */
  limit(active: number, nowMs: number): number {
    const { percent, minConcurrency, intervalMs } = this.#settings;
    if (intervalMs > 0) this.#forget(nowMs);
    const counted = this.#ended.reduce((sum, count) => sum + count, active);
    return Math.max(minConcurrency, Math.floor((percent / 100) * counted));
  }

  #forget(nowMs: number): void {
    const part = Math.floor((nowMs * PARTS) / this.#settings.intervalMs);
    const passed = Math.min(PARTS, part - this.#part);
    for (let step = 1; step <= passed; step++) this.#ended[(part - passed + step) % PARTS] = 0;
    this.#part = part;
  }
}
