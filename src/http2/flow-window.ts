/** Flow control of one direction of a stream or connection (RFC 9113 5.2, 6.9). */
import { MAX_31_BIT } from './frame.ts';

/** What this side may send. Negative after the peer lowered SETTINGS_INITIAL_WINDOW_SIZE. */
export class SendWindow {
  available: number;

  constructor(bytes: number) {
    this.available = bytes;
  }

  /** Adds an increment (or the difference of two settings). Returns false when the window would exceed 2^31-1. */
  grow(bytes: number): boolean {
    this.available += bytes;
    return this.available <= MAX_31_BIT;
  }
}

/**
 * What the peer may send.
 *
 * Invariant: `available` + bytes held by the application + `#owed` = the window's size.
 */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  available: number;
  /** Given back by the application, not yet announced to the peer. */
  #owed = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.available = sizeBytes;
  }

  /** Counts a received frame. Returns false when the peer sent more than it was allowed. */
  take(bytes: number): boolean {
    this.available -= bytes;
    return this.available >= 0;
  }

  /**
   * Gives credit back.
   * @returns the increment to announce now, or 0 while it is too small to be worth a frame
   */
  giveBack(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed * 4 < this.#sizeBytes) return 0;
    const increment = this.#owed;
    this.#owed = 0;
    this.available += increment;
    return increment;
  }
}
