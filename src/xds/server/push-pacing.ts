/**
 * When a change goes out: at once after quiet, merged with others under load. The pause between two pushes of a stream
 * doubles while changes keep coming and is forgotten after a quiet spell. It stays too short to be felt as long as the
 * process has time; only then does it grow, so that changes are merged where merging saves something.
 */

/**
 * How much of its time the event loop is busy, over the last moments. Most of what a push costs comes after it was handed
 * to the transport: encryption, writes, the acknowledgement. So the whole loop is looked at.
 */
export class PushLoad {
  readonly #activeMs: () => number;
  #share = 0;
  #atMs = 0;
  #seenMs = 0;

  /** @param activeMs how long the event loop was busy since the start of the process */
  constructor(activeMs: () => number) {
    this.#activeMs = activeMs;
  }

  /** From 0 to 1. @param nowMs monotonic */
  share(nowMs: number): number {
    const passedMs = nowMs - this.#atMs;
    if (passedMs <= 0) return this.#share;
    const activeMs = this.#activeMs();
    const kept = Math.exp(-passedMs / WINDOW_MS);
    this.#share = this.#share * kept + Math.min(1, (activeMs - this.#seenMs) / passedMs) * (1 - kept);
    this.#atMs = nowMs;
    this.#seenMs = activeMs;
    return this.#share;
  }
}

const WINDOW_MS = 200;
const FIRST_PAUSE_MS = 1;
/** The longest pause while the process has time. */
const SHORT_PAUSE_MS = 5;
const LONG_PAUSE_MS = 100;
/** Shares of the time: up to the first pauses stay short, from the second on they may be the longest. */
const LIGHT_SHARE = 0.5;
const HEAVY_SHARE = 0.9;
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

  /** Notes that a push went out. @param nowMs monotonic */
  pushed(nowMs: number): void {
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
