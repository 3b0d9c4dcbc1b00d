/**
 * RING_HASH: hosts are on a ring, each at many points by its weight; a request goes to the first point at or after its own
 * (facts l7-and-control 10.5). When a host goes, or is passed over for a while, only its own requests move.
 */
import { MAX_RING_SIZE } from '../model/hash-table-sizes.ts';
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { hashPoint } from './hash-point.ts';
import { type HashRing, hashRing, placeOf, type RingMember } from './hash-ring.ts';

export const DEFAULT_RING_SIZE = 1024;
const NOBODY = 0xffff_ffff;

export class RingHashBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #hosts: readonly H[];
  readonly #ring: HashRing;

  /** @param ring of the same hosts, where there is one */
  constructor(
    hosts: readonly WeightedHost<H>[],
    minimumSize: number,
    ring = hashRing(ringMembers(hosts, minimumSize)),
  ) {
    this.#hosts = hosts.map(({ host }) => host);
    this.#ring = ring;
  }

  pick(context: PickContext): H | undefined {
    return this.#hosts[this.#ownerOf(placeOf(hashPoint(context)))];
  }

  /** Passes over hosts that may not be used, as they are now: their requests go to the next one clockwise. */
  among(isUsable: (host: H) => boolean): Balancer<H> {
    const usable = Uint8Array.from(this.#hosts, (host) => (isUsable(host) ? 1 : 0));
    if (!usable.includes(0)) return this;
    const { places, owners } = this.#ring;
    const hosts = this.#hosts.map((host) => ({ host, weight: 1 }));
    return new RingHashBalancer(hosts, 0, { places, owners: usableOwners(owners, usable) });
  }

  #ownerOf(place: number): number {
    const { places, owners } = this.#ring;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return owners[low < owners.length ? low : 0] ?? NOBODY;
  }
}

/** The first owner from each point on, clockwise, that may be used. */
function usableOwners(owners: Uint32Array, usable: Uint8Array): Uint32Array {
  let next = owners.find((owner) => usable[owner] === 1) ?? NOBODY;
  const found = new Uint32Array(owners.length);
  for (let index = owners.length - 1; index >= 0; index--) {
    const owner = owners[index] ?? NOBODY;
    if (usable[owner] === 1) next = owner;
    found[index] = next;
  }
  return found;
}

/**
 * All together have the minimum at least. The lightest host has a power of two, which does not change when a few hosts come
 * or go: then the points of the others stay where they are.
 */
export function ringMembers(hosts: readonly WeightedHost<BalancedHost>[], minimumSize: number): readonly RingMember[] {
  const lightest = hosts.reduce((least, { weight }) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  const units = hosts.reduce((sum, { weight }) => sum + weight / lightest, 0);
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, minimumSize / units)));
  const perUnit = Math.min(wanted, MAX_RING_SIZE / units);
  return hosts.map(({ host: { hashKey }, weight }) => ({
    hashKey,
    points: Math.max(1, Math.round((perUnit * weight) / lightest)),
  }));
}
