/** Random members of a list, each by its share; constant work where all shares are equal. */
import type { BalancedHost, WeightedHost } from './balancer.ts';

export class WeightedSampler<H extends BalancedHost> {
  readonly #hosts: readonly WeightedHost<H>[];
  /** Running sums; undefined when all weights are equal. */
  readonly #sums: Float64Array | undefined;

  constructor(hosts: readonly WeightedHost<H>[]) {
    this.#hosts = hosts;
    const isEven = hosts.every(({ weight }) => weight === hosts[0]?.weight);
    this.#sums = isEven ? undefined : runningSums(hosts);
  }

  sample(random: () => number): WeightedHost<H> | undefined {
    const hosts = this.#hosts;
    const sums = this.#sums;
    if (sums === undefined) return hosts[Math.floor(random() * hosts.length)];
    const point = random() * (sums[sums.length - 1] ?? 0);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return hosts[low];
  }
}

function runningSums(hosts: readonly WeightedHost<BalancedHost>[]): Float64Array {
  const sums = new Float64Array(hosts.length);
  let sum = 0;
  for (const [index, { weight }] of hosts.entries()) {
    sum += weight;
    sums[index] = sum;
  }
  return sums;
}
