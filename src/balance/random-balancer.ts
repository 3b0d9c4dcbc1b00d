/** RANDOM: any host, whatever it is busy with. */
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { WeightedSampler } from './weighted-sampler.ts';

export class RandomBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #sampler: WeightedSampler<H>;

  constructor(hosts: readonly WeightedHost<H>[]) {
    this.#sampler = new WeightedSampler(hosts);
  }

  pick({ random }: PickContext): H | undefined {
    return this.#sampler.sample(random)?.host;
  }
}
