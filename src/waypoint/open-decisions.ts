/**
 * Connections and upgraded requests that policy let through and that go on without a word to it: they are asked again when
 * policies change (docs/policies.md, live changes).
 *
 * Invariant: each is asked at most once for changes that come together.
 */

export class OpenDecisions {
  readonly #open = new Set<() => void>();
  #isScheduled = false;

  /** @param askAgain ends what policy no longer allows @returns to be called when it is over */
  add(askAgain: () => void): () => void {
    this.#open.add(askAgain);
    return () => void this.#open.delete(askAgain);
  }

  /** Policies are others now. */
  policiesChanged(): void {
    if (this.#isScheduled || this.#open.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (const askAgain of [...this.#open]) askAgain();
    });
  }
}
