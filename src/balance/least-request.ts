/**
 * LEAST_REQUEST: of two random hosts the one with less to do (facts l7-and-control 10.5). The two are drawn by weight and
 * compared by requests in relation to weight; a host that warms up is passed over as often as its share says.
 */
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { type Warmup, warmupFactor } from './warmup.ts';
import { WeightedSampler } from './weighted-sampler.ts';

/** Draws until one that warms up is taken after all: there may be nothing else. */
const MAX_DRAWS = 16;

export class LeastRequestBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #sampler: WeightedSampler<H>;
  readonly #size: number;
  readonly #warmup: Warmup | undefined;

  constructor(hosts: readonly WeightedHost<H>[], warmup: Warmup | undefined) {
    this.#sampler = new WeightedSampler(hosts);
    this.#size = hosts.length;
    this.#warmup = warmup;
  }

  pick(context: PickContext): H | undefined {
    const first = this.#draw(context);
    if (first === undefined || this.#size === 1) return first?.host;
    const second = this.#draw(context) ?? first;
    return busyness(second) < busyness(first) ? second.host : first.host;
  }

  #draw({ nowMs, random }: PickContext): WeightedHost<H> | undefined {
    const warmup = this.#warmup;
    if (warmup === undefined) return this.#sampler.sample(random);
    let drawn: WeightedHost<H> | undefined;
    for (let draws = 0; draws < MAX_DRAWS; draws++) {
      drawn = this.#sampler.sample(random);
      if (drawn === undefined) return undefined;
      const factor = warmupFactor(warmup, nowMs - drawn.host.addedMs);
      if (factor === 1 || random() < factor) return drawn;
    }
    return drawn;
  }
}

function busyness({ host, weight }: WeightedHost<BalancedHost>): number {
  return (host.active + 1) / weight;
}
