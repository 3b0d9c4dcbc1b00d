/**
 * When a change goes out: at once after quiet, merged with others under load. The pause between two pushes doubles
 * while changes keep coming and is forgotten after a quiet spell, so there is no floor under the delay of a single
 * change.
 */
export interface PushPacingOptions {
  /** First pause in a burst. Default 1 ms. */
  readonly minPauseMs?: number;
  /** Longest pause. Default 100 ms. */
  readonly maxPauseMs?: number;
}

export class PushPacing {
  readonly #minPauseMs: number;
  readonly #maxPauseMs: number;
  #pauseMs = 0;
  #lastPushMs = Number.NEGATIVE_INFINITY;

  constructor(options: PushPacingOptions = {}) {
    this.#minPauseMs = options.minPauseMs ?? 1;
    this.#maxPauseMs = options.maxPauseMs ?? 100;
  }

  /** How long to wait before the next push; 0 is now. @param nowMs monotonic */
  delayMs(nowMs: number): number {
    const sinceMs = nowMs - this.#lastPushMs;
    if (sinceMs > this.#pauseMs * 2) return 0;
    return Math.max(0, this.#pauseMs - sinceMs);
  }

  /** Notes that a push went out. */
  pushed(nowMs: number): void {
    const quiet = nowMs - this.#lastPushMs > Math.max(this.#pauseMs * 2, this.#maxPauseMs);
    this.#pauseMs = quiet
      ? this.#minPauseMs
      : Math.min(Math.max(this.#pauseMs * 2, this.#minPauseMs), this.#maxPauseMs);
    this.#lastPushMs = nowMs;
  }
}
