/**
 * Places that clients share: whoever holds as many as are free gets no more (dynamic thresholds, Choudhury and Hahne,
 * 1998). So a client that is alone may have half of all, and one that takes what it can always leaves room for the others.
 *
 * Invariant: a client without places is not remembered.
 */
import { type MetricFamily, renderLabels } from '../telemetry/exposition.ts';

export class FairShares {
  readonly #total: number;
  readonly #byClient = new Map<string, number>();
  #used = 0;
  /** How often there was none for somebody. */
  refused = 0;

  /** @param total 0 for no limit */
  constructor(total: number) {
    this.#total = total;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns whether the client got a place, which `leave` gives back; who got none takes nothing from the others */
  enter(client: string): boolean {
    const own = this.#byClient.get(client) ?? 0;
    if (this.#total > 0 && own >= this.#total - this.#used) {
      this.refused += 1;
      return false;
    }
    this.#byClient.set(client, own + 1);
    this.#used += 1;
    return true;
  }

  leave(client: string): void {
    const own = this.#byClient.get(client) ?? 0;
    if (own === 0) return;
    if (own === 1) this.#byClient.delete(client);
    else this.#byClient.set(client, own - 1);
    this.#used -= 1;
  }
}

/** @param shares by what they are places for */
export function shareFamilies(shares: Readonly<Record<string, FairShares>>): MetricFamily[] {
  const samples = (value: (one: FairShares) => number) =>
    Object.entries(shares).map(([what, one]) => ({ labels: renderLabels([['what', what]]), value: value(one) }));
  return [
    {
      name: 'ambit_waypoint_open',
      help: 'Connections and requests that are under way.',
      type: 'gauge',
      samples: samples(({ used }) => used),
    },
    {
      name: 'ambit_waypoint_over_share',
      help: 'Connections and requests refused because their client held as many as were left for all.',
      type: 'counter',
      samples: samples(({ refused }) => refused),
    },
  ];
}
