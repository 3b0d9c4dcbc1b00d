import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { createWorkload } from '../../../../src/model/workload.ts';
import { LocalWorkload } from '../../../../src/ztunnel/data/local-workload.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const INFO = { name: 'web', namespace: 'shop', serviceAccount: 'web-sa' };
const RECORD = createWorkload({ uid: 'u', ...INFO });

function setUp() {
  const state = new MeshState();
  const clock = new ManualClock();
  const local = new LocalWorkload(INFO, state, clock);
  const apply = (workload = RECORD) => state.apply([{ kind: 'workload', workload }]);
  return { state, clock, local, apply };
}

describe('the record of a local pod', () => {
  it('counts only when name, namespace and service account all agree', () => {
    const { local, apply } = setUp();
    for (const wrong of [{ name: 'x' }, { namespace: 'x' }, { serviceAccount: 'x' }]) {
      apply({ ...RECORD, ...wrong });
      assert.equal(local.current(), undefined);
    }
    apply();
    assert.equal(local.current(), RECORD);
  });

  it('stops counting when its account changes under it', () => {
    const { local, apply } = setUp();
    apply();
    assert.ok(local.current());
    apply({ ...RECORD, serviceAccount: 'somebody-else' });
    assert.equal(local.current(), undefined);
  });

  it('is waited for, but not for ever', async () => {
    const { local, apply, clock } = setUp();
    const early = local.wait(5000);
    clock.advance(5000);
    assert.equal(await early, undefined);
    const late = local.wait(5000);
    apply();
    assert.equal(await late, RECORD);
    assert.deepEqual(clock.waitingMs, []);
  });

  it('is gone with its pod: who waits is told at once, and nobody waits again', async () => {
    const { local, apply, clock } = setUp();
    const waiting = local.wait(5000);
    local.close();
    assert.equal(await waiting, undefined);
    apply();
    assert.deepEqual([local.current(), await local.wait(5000), clock.waitingMs], [undefined, undefined, []]);
  });
});
