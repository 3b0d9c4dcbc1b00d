import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import { EVERYTHING, type RequestPolicy } from '../../../src/authz/request-policy.ts';
import type { RequestSubject } from '../../../src/authz/request-subject.ts';
import { shadowOutcome as outcomeOf, shadowFields } from '../../../src/authz/shadow-policies.ts';
import { createDefaultDenials, createPolicyTally } from '../../../src/model/policy-tally.ts';

const subject = {} as RequestSubject;
const shadowOutcome = (policies: readonly RequestPolicy[], subject: RequestSubject) =>
  outcomeOf(new RequestPolicies(policies), subject, createDefaultDenials());

function policy(name: string, action: RequestPolicy['action'], matches: boolean, dryRun = false): RequestPolicy {
  const tally = createPolicyTally();
  return { namespace: 'shop', name, action, provider: '', dryRun, tally, rules: matches ? [EVERYTHING] : [] };
}

describe('policies that decide nothing', () => {
  it('are silent where there are none of them', () => {
    assert.equal(shadowOutcome([policy('a', 'ALLOW', false), policy('d', 'DENY', true)], subject), undefined);
  });

  it('say which AUDIT policies match', () => {
    const all = [policy('one', 'AUDIT', true), policy('two', 'AUDIT', false), policy('three', 'AUDIT', true)];
    assert.deepEqual(shadowFields(shadowOutcome(all, subject)), {
      audited_by: 'ns[shop]-policy[one]-rule[0],ns[shop]-policy[three]-rule[0]',
    });
    assert.deepEqual(shadowFields(undefined), {});
  });

  it('say what a DENY in dry run would refuse', () => {
    assert.equal(shadowOutcome([policy('d', 'DENY', false, true)], subject), undefined);
    const fields = shadowFields(shadowOutcome([policy('d', 'DENY', true, true)], subject));
    assert.deepEqual(fields, { dry_run_denied_by: 'ns[shop]-policy[d]-rule[0]' });
  });

  it('say when no ALLOW in dry run would let it through', () => {
    const missing = [policy('a', 'ALLOW', false, true)];
    assert.deepEqual(shadowFields(shadowOutcome(missing, subject)), { dry_run_denied_by: 'none' });
    assert.equal(shadowOutcome([...missing, policy('b', 'ALLOW', true, true)], subject), undefined);
  });

  it('count what they say, and what no ALLOW in dry run would let through', () => {
    const denials = createDefaultDenials();
    const all = [policy('a', 'ALLOW', false, true), policy('d', 'DENY', true, true), policy('u', 'AUDIT', true)];
    outcomeOf(new RequestPolicies(all), subject, denials);
    outcomeOf(new RequestPolicies(all), subject, denials);
    assert.deepEqual(
      all.map(({ tally }) => tally.hits),
      [0, 2, 2],
    );
    assert.deepEqual(denials, { enforced: 0, dryRun: 2 });
  });
});
