/** What the process still waits for, and the endpoint that says so (facts ztunnel-wire 11.5). */

/** A part that is not ready until it says so; it may turn back. */
export interface ReadinessTask {
  ready(): void;
  notReady(): void;
}

export class Readiness {
  readonly #pending = new Set<string>();

  /** Registers a part under the name that the endpoint prints while it is pending. */
  task(name: string): ReadinessTask {
    this.#pending.add(name);
    return { ready: () => void this.#pending.delete(name), notReady: () => void this.#pending.add(name) };
  }

  get isReady(): boolean {
    return this.#pending.size === 0;
  }

  /** The body of `/healthz/ready`. */
  text(): string {
    return this.isReady ? 'ready\n' : `not ready, pending: ${[...this.#pending].sort().join(', ')}\n`;
  }
}
