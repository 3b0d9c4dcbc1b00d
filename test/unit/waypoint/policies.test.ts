import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countDecision } from '../../../src/authz/request-policies.ts';
import type { RequestSubject } from '../../../src/authz/request-subject.ts';
import { createDefaultDenials } from '../../../src/model/policy-tally.ts';
import { WaypointPolicy } from '../../../src/proto/gen/ambit.ts';
import { WaypointPolicies } from '../../../src/waypoint/policies.ts';

const NAME = 'AuthorizationPolicy/shop/gets';
const META = { kind: 'AuthorizationPolicy', namespace: 'shop', name: 'gets' };
const TARGET = 'Service/shop/cart';

function policies() {
  const all = new WaypointPolicies(() => undefined);
  const { apply } = all.handler();
  const denials = createDefaultDenials();
  const subject = { http: { method: 'GET', path: '/' } } as RequestSubject;
  return {
    denials,
    put: (spec: object) => {
      const object = {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { namespace: 'shop', name: 'gets' },
        spec,
      };
      const manifest = Buffer.from(JSON.stringify(object));
      const bytes = WaypointPolicy.encode({ ...META, targets: [TARGET], manifest }).finish();
      assert.deepEqual(apply([{ name: NAME, version: '1', aliases: [], bytes }], []), []);
    },
    remove: () => apply([], [NAME]),
    ask: () => countDecision(all.of([TARGET]).authorize(subject), denials),
    hits: () => [...all.counted()].map(({ name, tally }) => [name, tally.hits]),
  };
}

describe('how often policies of a waypoint decided', () => {
  const gets = { action: 'ALLOW', rules: [{ to: [{ operation: { methods: ['GET'] } }] }] };

  it('goes on when a policy changes, starts again when it means something else, and leaves with it', () => {
    const { put, ask, hits, remove } = policies();
    put(gets);
    ask();
    put({ ...gets, rules: [{}] });
    ask();
    assert.deepEqual(hits(), [['gets', 2]]);
    put({ ...gets, action: 'DENY' });
    assert.deepEqual(hits(), [['gets', 0]]);
    remove();
    assert.deepEqual(hits(), []);
  });

  it('is nobody’s when no ALLOW matches', () => {
    const { put, ask, hits, denials } = policies();
    put({ action: 'ALLOW', rules: [{ to: [{ operation: { methods: ['PUT'] } }] }] });
    ask();
    assert.deepEqual(hits(), [['gets', 0]]);
    assert.deepEqual(denials, { enforced: 1, dryRun: 0 });
  });
});
