/**
 * How many large responses are on their way at the same time. A whole mesh is tens of megabytes for each proxy, and after a
 * restart of the control plane all proxies ask at once: encoded for all of them it would not fit into memory.
 *
 * Invariant: a response that nobody takes counts for `PATIENCE_MS` at most, so that a client that does not read holds
 * nobody back.
 */
import type { Clock } from '../../base/clock.ts';

/** Responses with more resources than this are large. */
const LARGE_RESOURCES = 1000;
/** Above this, others wait. One response of 100,000 workloads is about 45 MB. */
const MAX_BYTES = 64 * 1024 * 1024;
const PATIENCE_MS = 10_000;
/** Smaller ones are not counted: there are many of them, and they are gone at once. */
const COUNTED_BYTES = 256 * 1024;

const UNCOUNTED = (): void => undefined;

/** Of all streams of a process. */
export class LargeResponses {
  readonly #clock: Clock;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Whether a response may be made now.
   * @param resources how many it carries
   * @param retry called when it may, if not now; the same function is noted once
   */
  admits(resources: number, retry: () => void): boolean {
    if (resources <= LARGE_RESOURCES || this.#bytes < MAX_BYTES) {
      this.#waiting.delete(retry);
      return true;
    }
    this.#waiting.add(retry);
    return false;
  }

  /** Notes a response that was handed to the transport. @returns to be called when it has left; more calls do nothing */
  sent(bytes: number): () => void {
    if (bytes < COUNTED_BYTES) return UNCOUNTED;
    this.#bytes += bytes;
    let counts = true;
    const left = () => {
      if (!counts) return;
      counts = false;
      patience.cancel();
      this.#bytes -= bytes;
      this.#next();
    };
    const patience = this.#clock.after(PATIENCE_MS, left);
    return left;
  }

  /** Who is gone waits no more. */
  forget(retry: () => void): void {
    this.#waiting.delete(retry);
  }

  #next(): void {
    for (const retry of [...this.#waiting]) {
      if (this.#bytes >= MAX_BYTES) return;
      // It may have gone meanwhile.
      if (this.#waiting.delete(retry)) retry();
    }
  }
}
