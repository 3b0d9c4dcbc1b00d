import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EnforcedPolicy } from '../../../../src/cli/authz/policies-in-force.ts';
import { policyReports } from '../../../../src/cli/authz/policy-report.ts';
import { decisionsOf } from '../../../../src/cli/authz/read-decisions.ts';
import { LabelCache, parseExposition } from '../../../../src/traffic/parse-exposition.ts';

const METRIC = 'ambit_authorization_decisions_total';
const NO_REMARKS = { accepted: new Map(), refused: new Map() };

/** What a proxy said, from lines `policy action result value`. */
function proxy(name: string, startSec: number, ...lines: readonly string[]) {
  const text = lines.map((line) => {
    const [policy, action, result, value] = line.split('|');
    return `${METRIC}{policy="${policy}",action="${action}",result="${result}"} ${value}`;
  });
  const page = [...text, `process_start_time_seconds ${startSec}`, 'istio_build{tag="1"} 1'].join('\n');
  return decisionsOf(
    name,
    parseExposition(page, () => true, new LabelCache()),
  );
}

function inForce(policy: string, enforcedBy: readonly string[], note = ''): EnforcedPolicy {
  return { policy, action: 'ALLOW', dryRun: false, appliesTo: 'mesh', isMeshWide: false, enforcedBy, note };
}

describe('the report over policies', () => {
  it('adds up what proxies counted, since the last of them started', () => {
    const read = [
      proxy('a/one', 100, 'shop/web|ALLOW|allowed|3', 'shop/web (unusable)|DENY|denied|1'),
      proxy('a/two', 200, 'shop/web|ALLOW|allowed|4', 'shop/try|ALLOW|would_allow|9'),
      proxy('a/other', 300),
    ];
    const [web, ...others] = policyReports([inForce('shop/web', ['a/one', 'a/two'])], read, NO_REMARKS);
    assert.deepEqual(others, []);
    assert.deepEqual([web?.allowed, web?.denied, web?.wouldAllow, web?.sinceMs], [7, 1, 0, 200_000]);
  });

  it('has policies that never decided, and those that no proxy is fed, with the reason', () => {
    const remarks = {
      accepted: new Map([
        ['AuthorizationPolicy/shop/web', ''],
        ['AuthorizationPolicy/shop/l7', 'Service shop/x does not exist'],
        ['AuthorizationPolicy/shop/idle', 'it selects nobody'],
        ['Service/shop/web', ''],
      ]),
      refused: new Map([
        ['AuthorizationPolicy shop/bad', 'spec.action: is no action'],
        ['Service shop/bad', 'spec: is nothing'],
      ]),
    };
    const policies = [inForce('shop/web', ['a/one']), inForce('shop/idle', [], 'nobody')];
    const reports = policyReports(policies, [proxy('a/one', 1)], remarks);
    assert.deepEqual(
      reports.map(({ policy, allowed, note }) => [policy, allowed, note]),
      [
        ['shop/bad', 0, 'refused: spec.action: is no action'],
        ['shop/idle', 0, 'it selects nobody'],
        ['shop/l7', 0, 'Service shop/x does not exist'],
        ['shop/web', 0, ''],
      ],
    );
  });

  it('ends with what no ALLOW policy matched', () => {
    const reports = policyReports([], [proxy('a/one', 5, '|ALLOW|denied|2', '|ALLOW|would_deny|1')], NO_REMARKS);
    assert.equal(reports.length, 1);
    const [none] = reports;
    assert.deepEqual([none?.policy, none?.denied, none?.wouldDeny, none?.enforcedBy], ['', 2, 1, ['a/one']]);
  });
});
