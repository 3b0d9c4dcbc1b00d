/** Limits of what may be under way to one cluster at a time (facts l7-and-control 2.3). */

/** Leave to be counted; to release it twice is harmless. */
export interface Permit {
  release(): void;
}

/** Each 0 for no limit. */
export interface BreakerLimits {
  readonly connections: number;
  readonly pending: number;
  readonly requests: number;
  readonly retries: number;
}

export type BreakerResource = keyof BreakerLimits;

export class CircuitBreaker {
  #limits: BreakerLimits;
  readonly #used = { connections: 0, pending: 0, requests: 0, retries: 0 };
  readonly #refused = { connections: 0, pending: 0, requests: 0, retries: 0 };

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  /** Other limits, for what comes from now on. */
  setLimits(limits: BreakerLimits): void {
    this.#limits = limits;
  }

  used(resource: BreakerResource): number {
    return this.#used[resource];
  }

  /** How often it said no. */
  refused(resource: BreakerResource): number {
    return this.#refused[resource];
  }

  hasRoom(resource: BreakerResource): boolean {
    const limit = this.#limits[resource];
    return limit === 0 || this.#used[resource] < limit;
  }

  /** Undefined where the limit is reached. */
  admit(resource: BreakerResource): Permit | undefined {
    if (this.hasRoom(resource)) return this.take(resource);
    this.#refused[resource] += 1;
    return undefined;
  }

  /** As `admit`, under this limit in place of the own one. */
  admitBelow(resource: BreakerResource, limit: number): Permit | undefined {
    if (this.#used[resource] < limit) return this.take(resource);
    this.#refused[resource] += 1;
    return undefined;
  }

  /** Counts whether or not there is room. */
  take(resource: BreakerResource): Permit {
    this.#used[resource] += 1;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#used[resource] -= 1;
        isHeld = false;
      },
    };
  }
}
