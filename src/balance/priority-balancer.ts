/**
 * Chooses among hosts of several priorities: the priority by health, then a host of it. Made for hosts and ejections that
 * do not change; cheap to make again, for a pick is constant work or nearly so (facts l7-and-control 10.5).
 */
import type { BalancedHost, Balancer, PickContext, WeightedHost } from './balancer.ts';
import { OVERPROVISIONING, type PriorityLoad, priorityLoads } from './priority-loads.ts';
import type { RingHashBalancer } from './ring-hash.ts';

/** Hosts of one priority that share a part of its traffic; without a share, each has its own weight. */
export interface HostPart<H extends BalancedHost> {
  readonly share: number | undefined;
  readonly hosts: readonly WeightedHost<H>[];
}

export interface PriorityOptions<H extends BalancedHost> {
  /** Healthy hosts below which all are used. */
  readonly panicPercent: number;
  readonly isUsable: (host: H) => boolean;
  readonly balancer: (hosts: readonly WeightedHost<H>[]) => Balancer<H>;
  /** The ring of all hosts of a priority, which stays while they do: those that may not be used are passed over. */
  readonly ring:
    | ((parts: readonly HostPart<H>[], hosts: () => readonly WeightedHost<H>[]) => RingHashBalancer<H>)
    | undefined;
}

interface Priority<H extends BalancedHost> {
  readonly load: PriorityLoad;
  readonly balancer: Balancer<H>;
}

export class PriorityBalancer<H extends BalancedHost> implements Balancer<H> {
  readonly #priorities: readonly Priority<H>[];

  constructor(levels: readonly (readonly HostPart<H>[])[], options: PriorityOptions<H>) {
    const { panicPercent, isUsable } = options;
    const health = levels.map((parts) => {
      const hosts = parts.flatMap((part) => part.hosts);
      return { total: hosts.length, healthy: hosts.filter(({ host }) => isUsable(host)).length };
    });
    const loads = priorityLoads(health, panicPercent);
    this.#priorities = levels.flatMap((parts, index) => {
      const load = loads[index];
      if (load === undefined || load.share === 0) return [];
      return [{ load, balancer: levelBalancer(parts, load.panics ? () => true : isUsable, options) }];
    });
  }

  pick(context: PickContext): H | undefined {
    const priorities = this.#priorities;
    const last = priorities.length - 1;
    if (last <= 0) return priorities[0]?.balancer.pick(context);
    // The same request goes to the same priority while health stays as it is.
    let point = context.hash === undefined ? context.random() : Number(context.hash % 10_000n) / 10_000;
    for (const [index, { load, balancer }] of priorities.entries()) {
      point -= load.share;
      if (point < 0 || index === last) return balancer.pick(context);
    }
    return undefined;
  }
}

function levelBalancer<H extends BalancedHost>(
  parts: readonly HostPart<H>[],
  isUsable: (host: H) => boolean,
  { balancer, ring }: PriorityOptions<H>,
): Balancer<H> {
  if (ring === undefined) return balancer(effectiveHosts(parts, isUsable));
  return ring(parts, () => effectiveHosts(parts, () => true)).among(isUsable);
}

function effectiveHosts<H extends BalancedHost>(
  parts: readonly HostPart<H>[],
  isUsable: (host: H) => boolean,
): readonly WeightedHost<H>[] {
  return parts.flatMap(({ share, hosts }) => {
    const usable = hosts.filter(({ host }) => isUsable(host));
    if (share === undefined || usable.length === 0) return usable;
    const weights = usable.reduce((sum, { weight }) => sum + weight, 0);
    const part = share * Math.min(1, (OVERPROVISIONING * usable.length) / hosts.length);
    return usable.map(({ host, weight }) => ({ host, weight: (part * weight) / weights }));
  });
}
