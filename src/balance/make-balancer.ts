/** The balancer that a policy asks for; least request where it asks for none (facts l7-and-control 2.2). */
import { Algorithm, type LoadBalancer } from '../proto/gen/ambit.ts';
import type { BalancedHost, Balancer, WeightedHost } from './balancer.ts';
import { LeastRequestBalancer } from './least-request.ts';
import { DEFAULT_MAGLEV_SIZE, MaglevBalancer } from './maglev.ts';
import { RandomBalancer } from './random-balancer.ts';
import { DEFAULT_RING_SIZE, RingHashBalancer } from './ring-hash.ts';
import { RoundRobinBalancer } from './round-robin.ts';
import type { Warmup } from './warmup.ts';

export function makeBalancer<H extends BalancedHost>(
  settings: LoadBalancer | undefined,
  hosts: readonly WeightedHost<H>[],
  random: () => number,
): Balancer<H> {
  switch (settings?.algorithm) {
    case Algorithm.ROUND_ROBIN:
      return new RoundRobinBalancer(hosts, warmupOf(settings), random);
    case Algorithm.RANDOM:
    // A virtual address says nothing about which endpoint was meant.
    case Algorithm.PASSTHROUGH:
      return new RandomBalancer(hosts);
    case Algorithm.RING_HASH:
      return makeRing(settings, hosts);
    case Algorithm.MAGLEV:
      return new MaglevBalancer(hosts, settings.hash?.tableSize || DEFAULT_MAGLEV_SIZE);
    default:
      return new LeastRequestBalancer(hosts, settings && warmupOf(settings));
  }
}

/** The ring of a policy that asks for one. */
export function makeRing<H extends BalancedHost>(
  settings: LoadBalancer,
  hosts: readonly WeightedHost<H>[],
): RingHashBalancer<H> {
  return new RingHashBalancer(hosts, settings.hash?.tableSize || DEFAULT_RING_SIZE);
}

/** Whether requests of one key belong together. */
export function isConsistent(settings: LoadBalancer | undefined): boolean {
  return settings?.algorithm === Algorithm.RING_HASH || settings?.algorithm === Algorithm.MAGLEV;
}

/** Whether hosts are told apart by their weights. */
export function isWeighted(settings: LoadBalancer | undefined): boolean {
  return settings?.algorithm !== Algorithm.RANDOM && settings?.algorithm !== Algorithm.PASSTHROUGH;
}

function warmupOf(settings: LoadBalancer): Warmup | undefined {
  const { warmupMs, warmupMinimumPercent, warmupAggression } = settings;
  if (warmupMs === 0) return undefined;
  return { durationMs: warmupMs, minimumPercent: warmupMinimumPercent, aggression: warmupAggression || 1 };
}
