/**
 * Points of hosts on a ring of 2^44 places (facts l7-and-control 10.5). A host has one xxHash64; its points are mixed from
 * that and their numbers, and each is kept as one 64-bit number, `place << 20 | index of the host`, so that the ring is
 * sorted without comparing objects.
 */
import { xxHash64 } from './xxhash64.ts';

/** A host's name for hashing, and how many points it has. */
export interface RingMember {
  readonly hashKey: string;
  readonly points: number;
}

export interface HashRing {
  /** In order. */
  readonly places: Float64Array;
  /** The index of the member that each place belongs to. */
  readonly owners: Uint32Array;
}

const OWNER_BITS = 20;
/** As many members as an index can tell apart; further ones have no points. */
const MEMBERS = 2 ** OWNER_BITS;
const OWNER_MASK = MEMBERS - 1;
/** What is left of a place beside its high 32 bits. */
const LOW_PLACES = 2 ** (32 - OWNER_BITS);
/** Numbers of points are spread by the golden ratio, so that the mixer sees other bits each time. */
const NUMBER_STEP = 0x9e3779b9;

/** The first 44 bits of a hash. */
export function placeOf(hash: bigint): number {
  return Number(hash >> BigInt(OWNER_BITS));
}

export function hashRing(members: readonly RingMember[]): HashRing {
  const taken = members.slice(0, MEMBERS);
  const size = taken.reduce((sum, { points }) => sum + points, 0);
  const sorted = new BigUint64Array(size);
  // Little-endian, as all machines are that this runs on: the low half comes first.
  const halves = new Uint32Array(sorted.buffer);
  let at = 0;
  for (const [index, { hashKey, points }] of taken.entries()) {
    const hash = xxHash64(hashKey);
    const high = Number(hash >> 32n) | 0;
    const low = Number(hash & 0xffff_ffffn) | 0;
    for (let number = 0; number < points; number++) {
      const mixed = mix(low + Math.imul(number, NUMBER_STEP));
      halves[at++] = (mixed & ~OWNER_MASK) | index;
      halves[at++] = mix(mixed ^ high);
    }
  }
  sorted.sort();
  return unpacked(halves, size);
}

function unpacked(halves: Uint32Array, size: number): HashRing {
  const places = new Float64Array(size);
  const owners = new Uint32Array(size);
  for (let index = 0; index < size; index++) {
    const low = halves[2 * index] ?? 0;
    places[index] = (halves[2 * index + 1] ?? 0) * LOW_PLACES + (low >>> OWNER_BITS);
    owners[index] = low & OWNER_MASK;
  }
  return { places, owners };
}

/** Every bit of the result depends on every bit of the value, and no two values have the same. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
