/**
 * ROUND_ROBIN: whose turn is next goes first. Each turn of a host is later than its last by the inverse of its weight
 * (earliest deadline first), so turns come evenly, and as often as the weight says (facts l7-and-control 10.5).
 */
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { type Warmup, warmupFactor } from './warmup.ts';

export class RoundRobinBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #hosts: readonly WeightedHost<H>[];
  readonly #warmup: Warmup | undefined;
  /** Indices of hosts, as a heap by turn. */
  readonly #heap: Uint32Array;
  readonly #turns: Float64Array;

  /** @param random spreads the first turns, so that many waypoints do not begin with the same host */
  constructor(hosts: readonly WeightedHost<H>[], warmup: Warmup | undefined, random: () => number) {
    this.#hosts = hosts;
    this.#warmup = warmup;
    this.#turns = Float64Array.from(hosts, ({ weight }) => random() / weight);
    this.#heap = Uint32Array.from(hosts.keys());
    for (let at = (hosts.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  pick({ nowMs }: PickContext): H | undefined {
    const index = this.#heap[0];
    const next = index === undefined ? undefined : this.#hosts[index];
    if (index === undefined || next === undefined) return undefined;
    const weight = next.weight * warmupFactor(this.#warmup, nowMs - next.host.addedMs);
    this.#turns[index] = (this.#turns[index] ?? 0) + 1 / weight;
    this.#sink(0);
    return next.host;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moved = heap[from] ?? 0;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#turnAt(child + 1) < this.#turnAt(child)) child += 1;
      if (this.#turnAt(child) >= (this.#turns[moved] ?? 0)) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = moved;
  }

  #turnAt(position: number): number {
    return this.#turns[this.#heap[position] ?? 0] ?? 0;
  }
}
