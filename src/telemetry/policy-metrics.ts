/** The decisions of policies as a metric. The policies hold the numbers, so that those of a deleted one leave with it. */
import type { DefaultDenials, PolicyTally } from '../model/policy-tally.ts';
import { type MetricFamily, renderLabels, type Sample } from './exposition.ts';

/** A policy with what it counted. */
export interface CountedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM' | 'Allow' | 'Deny';
  readonly dryRun: boolean;
  readonly tally: PolicyTally;
}

export const POLICY_METRIC = 'ambit_authorization_decisions';

/** Only what was counted has a sample: a proxy knows more policies than ever decide at it. */
export function policyFamily(policies: Iterable<CountedPolicy>, denials: DefaultDenials): MetricFamily {
  const samples: Sample[] = [];
  const add = (policy: string, action: string, result: string, value: number) => {
    if (value === 0) return;
    const labels = renderLabels([
      ['policy', policy],
      ['action', action],
      ['result', result],
    ]);
    samples.push({ labels, value });
  };
  for (const { namespace, name, action: written, dryRun, tally } of policies) {
    const action = written.toUpperCase();
    const policy = `${namespace}/${name}`;
    add(policy, action, resultOf(action, dryRun), tally.hits - tally.refusals);
    add(policy, action, 'denied', tally.refusals);
  }
  add('', 'ALLOW', 'denied', denials.enforced);
  add('', 'ALLOW', 'would_deny', denials.dryRun);
  return {
    name: POLICY_METRIC,
    help: 'Connections and requests that an authorization policy decided over; policy="" counts those that no ALLOW policy matched.',
    type: 'counter',
    samples,
  };
}

function resultOf(action: string, dryRun: boolean): string {
  if (action === 'AUDIT') return 'audited';
  const denies = action === 'DENY';
  if (dryRun && action !== 'CUSTOM') return denies ? 'would_deny' : 'would_allow';
  return denies ? 'denied' : 'allowed';
}
