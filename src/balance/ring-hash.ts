/**
 * RING_HASH: hosts are on a ring, each at many points by its weight; a request goes to the first point at or after its own
 * (facts l7-and-control 10.5). When a host goes, only its own requests move.
 */
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { hashPoint } from './hash-point.ts';
import { xxHash64 } from './xxhash64.ts';

export const DEFAULT_RING_SIZE = 1024;
const MAX_RING_SIZE = 8_388_608;

export class RingHashBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #points: BigUint64Array;
  readonly #owners: readonly H[];

  constructor(hosts: readonly WeightedHost<H>[], minimumSize: number) {
    const ring = pointsOf(hosts, minimumSize).sort((a, b) => (a.point < b.point ? -1 : 1));
    this.#points = BigUint64Array.from(ring, ({ point }) => point);
    this.#owners = ring.map(({ host }) => host);
  }

  pick(context: PickContext): H | undefined {
    const point = hashPoint(context);
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] ?? 0n) < point) low = middle + 1;
      else high = middle;
    }
    return this.#owners[low] ?? this.#owners[0];
  }
}

/**
 * All together are the minimum at least. The lightest host has a power of two, which does not change when a few hosts come
 * or go: then the points of the others stay where they are.
 */
function pointsOf<H extends BalancedHost>(hosts: readonly WeightedHost<H>[], minimumSize: number) {
  const lightest = hosts.reduce((least, { weight }) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  const units = hosts.reduce((sum, { weight }) => sum + weight / lightest, 0);
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, minimumSize / units)));
  const copiesPerUnit = Math.min(wanted, MAX_RING_SIZE / units);
  const points: { point: bigint; host: H }[] = [];
  for (const { host, weight } of hosts) {
    const copies = Math.max(1, Math.round((copiesPerUnit * weight) / lightest));
    for (let copy = 0; copy < copies; copy++) points.push({ point: xxHash64(`${host.hashKey}_${copy}`), host });
  }
  return points;
}
