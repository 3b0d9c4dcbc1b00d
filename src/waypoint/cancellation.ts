/** Says when a request is over, to those who still do something for it. */

export interface Cancellation {
  readonly aborted: boolean;
  /** Calls the listener once, when the request is over. @returns what takes the listener off again */
  onAbort(listener: () => void): () => void;
}

/** The side of whom the request belongs to. */
export class RequestEnd implements Cancellation {
  readonly #listeners = new Set<() => void>();
  #aborted = false;

  get aborted(): boolean {
    return this.#aborted;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  onAbort(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The request is over. Calling it again does nothing. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    for (const listener of [...this.#listeners]) if (this.#listeners.delete(listener)) listener();
  }
}
