import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LabelCache, parseExposition } from '../../../src/traffic/parse-exposition.ts';
import { addPolicySamples, isPolicyMetric } from '../../../src/traffic/policy-hits.ts';

describe('hits of policies', () => {
  it('are added up over the proxies, by policy and result, those of a waypoint that cannot use the policy among them', () => {
    const hits = new Map<string, Map<string, number>>();
    const pages = [
      'ambit_authorization_decisions_total{policy="shop/a",action="ALLOW",result="allowed"} 3\nistio_requests_total{} 9',
      'ambit_authorization_decisions_total{policy="shop/a",action="ALLOW",result="allowed"} 4\n' +
        'ambit_authorization_decisions_total{policy="",action="ALLOW",result="denied"} 2',
      'ambit_authorization_decisions_total{policy="shop/a (unusable)",action="DENY",result="denied"} 6',
    ];
    for (const page of pages) addPolicySamples(hits, parseExposition(page, isPolicyMetric, new LabelCache()));
    assert.deepEqual(Object.fromEntries([...hits].map(([policy, results]) => [policy, [...results]])), {
      'shop/a': [
        ['allowed', 7],
        ['denied', 6],
      ],
      '': [['denied', 2]],
    });
  });
});
