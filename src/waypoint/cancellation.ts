/** Says when a request is over, to those who still do something for it. */

export interface Cancellation {
  readonly aborted: boolean;
  /** Calls the listener once, when the request is over. @returns what takes the listener off again */
  onAbort(listener: () => void): () => void;
}

/** The side of whom the request belongs to. */
export class RequestEnd implements Cancellation {
  #listeners: Set<() => void> | undefined;
  #aborted = false;

  get aborted(): boolean {
    return this.#aborted;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners?.size ?? 0;
  }

  onAbort(listener: () => void): () => void {
    const listeners = this.#listeners ?? new Set();
    this.#listeners = listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** The request is over. Calling it again does nothing. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    for (const listener of [...listeners]) if (listeners.delete(listener)) listener();
  }
}
