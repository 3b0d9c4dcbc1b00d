/**
 * When a change goes out: at once after quiet, merged with others under load. The pause between two pushes of a stream
 * doubles while changes keep coming and is forgotten after a quiet spell. It stays too short to be felt as long as pushing
 * takes little of the process; only then does it grow, so that changes are merged where merging saves something.
 */

/** How much of its time the process spends on pushes to all streams, over the last moments. */
export class PushLoad {
  #busyMs = 0;
  #atMs = 0;

  /** A push has taken so long. @param nowMs monotonic */
  note(nowMs: number, tookMs: number): void {
    this.#busyMs = this.#remaining(nowMs) + tookMs;
    this.#atMs = nowMs;
  }

  /** From 0 to about 1. */
  share(nowMs: number): number {
    return this.#remaining(nowMs) / WINDOW_MS;
  }

  #remaining(nowMs: number): number {
    return this.#busyMs * Math.exp(-Math.max(0, nowMs - this.#atMs) / WINDOW_MS);
  }
}

const WINDOW_MS = 200;
const FIRST_PAUSE_MS = 1;
/** The longest pause while the process has time. */
const SHORT_PAUSE_MS = 5;
const LONG_PAUSE_MS = 100;
/** Shares of the time: up to the first pauses stay short, from the second on they may be the longest. */
const LIGHT_SHARE = 0.25;
const HEAVY_SHARE = 0.75;
const QUIET_MS = 20;

export class PushPacing {
  readonly #load: PushLoad;
  #pauseMs = 0;
  #lastPushMs = Number.NEGATIVE_INFINITY;

  /** @param load shared by all streams of the process */
  constructor(load: PushLoad) {
    this.#load = load;
  }

  /** How long to wait before the next push; 0 is now. @param nowMs monotonic */
  delayMs(nowMs: number): number {
    const sinceMs = nowMs - this.#lastPushMs;
    if (sinceMs > this.#pauseMs * 2) return 0;
    return Math.max(0, this.#pauseMs - sinceMs);
  }

  /** Notes that a push went out. @param nowMs monotonic, @param tookMs to make it and hand it to the transport */
  pushed(nowMs: number, tookMs: number): void {
    this.#load.note(nowMs, tookMs);
    const isQuiet = nowMs - this.#lastPushMs > Math.max(this.#pauseMs * 2, QUIET_MS);
    const doubled = Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS);
    this.#pauseMs = isQuiet ? FIRST_PAUSE_MS : Math.min(doubled, this.#longestPauseMs(nowMs));
    this.#lastPushMs = nowMs;
  }

  #longestPauseMs(nowMs: number): number {
    const above = (this.#load.share(nowMs) - LIGHT_SHARE) / (HEAVY_SHARE - LIGHT_SHARE);
    return SHORT_PAUSE_MS + Math.min(Math.max(above, 0), 1) * (LONG_PAUSE_MS - SHORT_PAUSE_MS);
  }
}
