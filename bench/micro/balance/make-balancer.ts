/** One pick of each balancer, among few and many hosts; and what it costs to make one for hosts that changed. */
import assert from 'node:assert/strict';
import type { Balancer, WeightedHost } from '../../../src/balance/balancer.ts';
import { makeBalancer } from '../../../src/balance/make-balancer.ts';
import { xxHash64 } from '../../../src/balance/xxhash64.ts';
import { Algorithm, type LoadBalancer } from '../../../src/proto/gen/ambit.ts';
import { inTurns, type MicroBench } from '../suite.ts';

const SIZES = [3, 100, 5000];
const ALGORITHMS: readonly (readonly [name: string, algorithm: Algorithm])[] = [
  ['least request', Algorithm.LEAST_REQUEST],
  ['round robin', Algorithm.ROUND_ROBIN],
  ['random', Algorithm.RANDOM],
  ['ring hash', Algorithm.RING_HASH],
  ['maglev', Algorithm.MAGLEV],
];

interface Host {
  readonly hashKey: string;
  readonly active: number;
  readonly addedMs: number;
}

function settings(algorithm: Algorithm): LoadBalancer {
  return {
    algorithm,
    hash: undefined,
    warmupMs: 0,
    warmupMinimumPercent: 10,
    warmupAggression: 1,
    distribute: [],
    failover: [],
    failoverPriority: [],
    localityFailover: false,
  };
}

function hostsOf(count: number): readonly WeightedHost<Host>[] {
  return Array.from({ length: count }, (_, index) => ({
    host: { hashKey: `10.1.${index >> 8}.${index & 255}:8080`, active: index % 7, addedMs: 0 },
    weight: 1 + (index % 3),
  }));
}

/** Keys of sessions, hashed as `hash-key.ts` does. */
const HASHES = Array.from({ length: 256 }, (_, index) => xxHash64(`session-${index}`));

export function benches(): readonly MicroBench[] {
  return SIZES.flatMap((count) => {
    const hosts = hostsOf(count);
    return ALGORITHMS.map(([name, algorithm]) => pick(`${name}, ${count} hosts`, make(algorithm, hosts)));
  }).concat(
    ALGORITHMS.map(([name, algorithm]) => {
      const hosts = hostsOf(100);
      return { name: `making ${name} for 100 hosts`, run: () => make(algorithm, hosts) };
    }),
    { name: 'xxHash64 of a session key', run: () => xxHash64('session-4711') },
  );
}

function make(algorithm: Algorithm, hosts: readonly WeightedHost<Host>[]): Balancer<Host> {
  return makeBalancer(settings(algorithm), hosts, Math.random);
}

function pick(name: string, balancer: Balancer<Host>): MicroBench {
  const hash = inTurns(HASHES);
  const run = () => balancer.pick({ hash: hash(), nowMs: 0, random: Math.random });
  assert.ok(run() !== undefined);
  return { name, run };
}
