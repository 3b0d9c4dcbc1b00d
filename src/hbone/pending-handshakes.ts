/**
 * Connections whose TLS handshake is not done: at most so many per pod.
 *
 * Invariant: above the limit the oldest one is given up. An honest handshake takes milliseconds, so clients that open
 * connections and say nothing push out each other, not those that mean it.
 */

/** Per pod and data thread; one costs up to some 60 KB. */
export const MAX_PENDING_HANDSHAKES = 512;

export class PendingHandshakes {
  readonly #limit: number;
  /** In the order of their arrival. */
  readonly #pending = new Set<() => void>();

  constructor(limit: number = MAX_PENDING_HANDSHAKES) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Takes in a handshake.
   * @param giveUp closes the connection; called at most once
   * @returns what to call when the handshake is over, however it ended
   */
  enter(giveUp: () => void): () => void {
    const [oldest] = this.#pending;
    if (this.#pending.size >= this.#limit && oldest !== undefined) {
      this.#pending.delete(oldest);
      oldest();
    }
    this.#pending.add(giveUp);
    return () => void this.#pending.delete(giveUp);
  }

  /** Gives up all. */
  clear(): void {
    const all = [...this.#pending];
    this.#pending.clear();
    for (const giveUp of all) giveUp();
  }
}
