/** How often policies decided, from what all proxies of a mesh count. */
import { UNUSABLE_SUFFIX } from '../model/fed-policy-name.ts';
import { POLICY_METRIC } from '../telemetry/policy-metrics.ts';
import type { ParsedSample } from './parse-exposition.ts';

const NAME = `${POLICY_METRIC}_total`;

const MAX_POLICIES = 10_000;
/** Of one policy: those beyond are made up. */
const MAX_RESULTS = 20;

/** Since the proxies started, by `namespace/name` of the policy and result: `allowed`, `denied`, `would_deny`, … */
export type PolicyHits = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Whether samples of this name are about policies. */
export function isPolicyMetric(name: string): boolean {
  return name === NAME;
}

/** Adds what one proxy counts. A refusal because no ALLOW policy matched is counted under an empty name. */
export function addPolicySamples(hits: Map<string, Map<string, number>>, samples: readonly ParsedSample[]): void {
  for (const { name, labels, value } of samples) {
    if (!isPolicyMetric(name)) continue;
    const { policy: counted = '', result = '' } = labels;
    // One that a waypoint cannot read is still the same policy to people.
    const policy = counted.replace(UNUSABLE_SUFFIX, '');
    const results = hits.get(policy) ?? new Map<string, number>();
    if (!hits.has(policy) && hits.size >= MAX_POLICIES) continue;
    if (!results.has(result) && results.size >= MAX_RESULTS) continue;
    hits.set(policy, results.set(result, (results.get(result) ?? 0) + value));
  }
}
