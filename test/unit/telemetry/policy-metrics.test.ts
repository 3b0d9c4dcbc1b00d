import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createDefaultDenials } from '../../../src/model/policy-tally.ts';
import { type CountedPolicy, policyFamily } from '../../../src/telemetry/policy-metrics.ts';

function counted(fields: Partial<CountedPolicy>, hits = 1, refusals = 0): CountedPolicy {
  return { namespace: 'shop', name: 'p', action: 'ALLOW', dryRun: false, tally: { hits, refusals }, ...fields };
}

const samples = (policies: readonly CountedPolicy[], denials = createDefaultDenials()) =>
  policyFamily(policies, denials).samples.map(({ labels, value }) => `${labels.replaceAll('"', '')} ${value}`);

describe('the metric of policies', () => {
  it('names the policy, its action, and what came of it', () => {
    const all = [
      counted({ action: 'Allow', name: 'a' }, 3),
      counted({ action: 'Deny', name: 'd' }, 4),
      counted({ action: 'AUDIT', name: 'u' }, 5),
      counted({ dryRun: true, name: 'da' }, 6),
      counted({ dryRun: true, action: 'DENY', name: 'dd' }, 7),
    ];
    assert.deepEqual(samples(all), [
      'policy=shop/a,action=ALLOW,result=allowed 3',
      'policy=shop/d,action=DENY,result=denied 4',
      'policy=shop/u,action=AUDIT,result=audited 5',
      'policy=shop/da,action=ALLOW,result=would_allow 6',
      'policy=shop/dd,action=DENY,result=would_deny 7',
    ]);
  });

  it('tells apart what the provider of a CUSTOM policy allowed and refused', () => {
    assert.deepEqual(samples([counted({ action: 'CUSTOM' }, 5, 2)]), [
      'policy=shop/p,action=CUSTOM,result=allowed 3',
      'policy=shop/p,action=CUSTOM,result=denied 2',
    ]);
  });

  it('counts what no ALLOW policy matched without a name, and leaves out what never decided', () => {
    assert.deepEqual(samples([counted({}, 0)], { enforced: 2, dryRun: 1 }), [
      'policy=,action=ALLOW,result=denied 2',
      'policy=,action=ALLOW,result=would_deny 1',
    ]);
    assert.deepEqual(samples([counted({}, 0)]), []);
  });
});
