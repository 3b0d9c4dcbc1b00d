import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writtenPolicy } from '../../../../src/model/manifest/written-policy.ts';

const written = (annotations: object, spec: object) =>
  writtenPolicy(
    Buffer.from(
      JSON.stringify({ kind: 'AuthorizationPolicy', metadata: { namespace: 'shop', name: 'a', annotations }, spec }),
    ),
  );

describe('a policy as its object says it', () => {
  it('allows where it says no action', () => {
    assert.deepEqual(written({}, {}), { kind: 'AuthorizationPolicy', id: 'shop/a', action: 'ALLOW', dryRun: false });
  });

  it('is in dry run by its annotation only', () => {
    assert.equal(written({ 'istio.io/dry-run': 'true' }, { action: 'DENY' }).dryRun, true);
    assert.equal(written({ 'istio.io/dry-run': 'false' }, { action: 'DENY' }).dryRun, false);
    assert.equal(written({}, { action: 'DENY' }).action, 'DENY');
  });
});
