/** What ports and subsets inherit of the policy of their rule, and what they replace (facts l7-and-control 2.1). */
import { defaultLoadBalancer } from '../../model/manifest/load-balancer.ts';
import type { PolicyBlocks, TrafficPolicySpec } from '../../model/manifest/traffic-policy.ts';
import type { LoadBalancer, OutlierDetection, TrafficPolicy } from '../../proto/gen/ambit.ts';
import type { MergedRule } from './rule-lookup.ts';

const NO_BLOCKS: PolicyBlocks = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
};

/** One entry for each port and subset that has a policy of its own; a waypoint takes the most special one. */
export function inheritedPolicies({ trafficPolicy, subsets }: MergedRule): TrafficPolicy[] {
  const policies: TrafficPolicy[] = [];
  let retryBudget = trafficPolicy?.retryBudget;
  const add = (port: number, subset: string, blocks: PolicyBlocks) => {
    policies.push({ port, subset, ...settled(blocks), retryBudget });
  };
  if (trafficPolicy !== undefined) {
    add(0, '', trafficPolicy);
    for (const [port, blocks] of trafficPolicy.ports) add(port, '', blocks);
  }
  for (const { name, trafficPolicy: own } of subsets) {
    if (own === undefined) continue;
    retryBudget = own.retryBudget ?? trafficPolicy?.retryBudget;
    add(0, name, overridden(trafficPolicy, own));
    for (const port of portsOf(trafficPolicy, own)) {
      const inherited = trafficPolicy?.ports.get(port) ?? trafficPolicy;
      add(port, name, own.ports.get(port) ?? overridden(inherited, own));
    }
  }
  return policies;
}

function portsOf(outer: TrafficPolicySpec | undefined, own: TrafficPolicySpec): Set<number> {
  return new Set([...(outer?.ports.keys() ?? []), ...own.ports.keys()]);
}

/** Block by block. */
function overridden(outer: PolicyBlocks = NO_BLOCKS, own: PolicyBlocks = NO_BLOCKS): PolicyBlocks {
  return {
    loadBalancer: own.loadBalancer ?? outer.loadBalancer,
    connectionPool: own.connectionPool ?? outer.connectionPool,
    outlierDetection: own.outlierDetection ?? outer.outlierDetection,
    tls: own.tls ?? outer.tls,
  };
}

function settled({ loadBalancer, connectionPool, outlierDetection, tls }: PolicyBlocks): PolicyBlocks {
  return { loadBalancer: withFailover(loadBalancer, outlierDetection), connectionPool, outlierDetection, tls };
}

/** Other localities take over only where something is ejected; shares hold in any case. */
function withFailover(
  balancer: LoadBalancer | undefined,
  detection: OutlierDetection | undefined,
): LoadBalancer | undefined {
  if (detection !== undefined) return balancer ?? defaultLoadBalancer();
  return balancer && { ...balancer, failover: [], failoverPriority: [], localityFailover: false };
}
