/** Exponential backoff with jitter. */
export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Share of the delay that is random, 0.2 = plus or minus 20 %. Default 0. */
  readonly jitter?: number;
  /** Uniform numbers in [0, 1). */
  readonly random?: () => number;
}

/** Delays that double from `initialMs` to `maxMs`; `reset` starts over. */
export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.initialMs;
  }

  /** The delay to wait before the next try, in milliseconds. */
  next(): number {
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, this.#options.maxMs);
    const { jitter = 0, random = Math.random } = this.#options;
    return delayMs * (1 + jitter * (random() * 2 - 1));
  }

  reset(): void {
    this.#nextMs = this.#options.initialMs;
  }
}
