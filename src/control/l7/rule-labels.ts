/** The labels of endpoints that a DestinationRule speaks of. */
import type { DestinationRuleObject } from '../../model/manifest/destination-rule.ts';

/** The labels by which a rule tells endpoints apart. */
export function labelsAskedFor(rule: DestinationRuleObject): ReadonlySet<string> {
  const names = new Set(rule.subsets.flatMap(({ labels }) => [...labels.keys()]));
  for (const name of priorityLabelsOf(rule)) names.add(name);
  return names;
}

/** The names in the failover priorities of a rule. */
export function priorityLabelsOf({ trafficPolicy, subsets }: DestinationRuleObject): ReadonlySet<string> {
  const names = new Set<string>();
  for (const policy of [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)]) {
    if (policy === undefined) continue;
    for (const { loadBalancer } of [policy, ...policy.ports.values()]) {
      for (const entry of loadBalancer?.failoverPriority ?? []) names.add(entry.split('=', 1)[0] ?? '');
    }
  }
  return names;
}
