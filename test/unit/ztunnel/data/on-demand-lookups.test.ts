import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { parseCidr } from '../../../../src/model/address.ts';
import { createWorkload } from '../../../../src/model/workload.ts';
import { OnDemandLookups } from '../../../../src/ztunnel/data/on-demand-lookups.ts';
import { clusterService, ip } from '../../../helpers/mesh-objects.ts';

function setUp() {
  const state = new MeshState();
  const asked: string[] = [];
  const lookups = new OnDemandLookups({ state, ask: (key) => void asked.push(key) });
  return { state, asked, lookups };
}

/** Whether the promise is resolved already. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe('the questions of a data thread', () => {
  it('are asked once per key and wake everybody who waits', async () => {
    const { asked, lookups } = setUp();
    const both = lookups.fetch(['a', 'b']);
    const one = lookups.fetch(['a']);
    lookups.hint('a');
    assert.deepEqual(asked, ['a', 'b']);
    lookups.answered(['a']);
    assert.deepEqual([await isDone(one), await isDone(both)], [true, false]);
    lookups.answered(['b']);
    assert.equal(await isDone(both), true);
  });

  it('tell those who wait when nobody answered, and are asked again by the next', async () => {
    const { asked, lookups } = setUp();
    const waiting = lookups.fetch(['a', 'b']);
    lookups.answered(['b']);
    lookups.overdue(['a']);
    assert.equal(await waiting, false);
    const next = lookups.fetch(['a']);
    assert.deepEqual(asked, ['a', 'b', 'a']);
    lookups.answered(['a']);
    assert.equal(await next, true);
  });

  it('delay nothing a second time, until the key was forgotten', async () => {
    const { asked, lookups } = setUp();
    lookups.hint('a');
    lookups.answered(['a']);
    assert.equal(await isDone(lookups.fetch(['a'])), true);
    lookups.hint('a');
    assert.deepEqual(asked, ['a']);
    lookups.forgotten(['a']);
    lookups.hint('a');
    assert.deepEqual(asked, ['a', 'a']);
  });

  it('are not needed for an address whose owner is known or of which nothing is known', () => {
    const { state, lookups } = setUp();
    state.apply([
      { kind: 'workload', workload: createWorkload({ uid: 'u', addresses: [ip('10.0.0.1')] }) },
      { kind: 'service', service: clusterService('s', '10.96.0.1', { 80: 80 }) },
    ]);
    assert.equal(lookups.addressKey('', ip('10.0.0.1')), undefined);
    assert.equal(lookups.addressKey('', ip('10.96.0.1')), undefined);
    assert.equal(lookups.addressKey('other', ip('10.0.0.1')), 'other/10.0.0.1');
    assert.equal(lookups.addressKey('', ip('10.0.0.2')), '/10.0.0.2');
    lookups.answered(['/10.0.0.2']);
    assert.equal(lookups.addressKey('', ip('10.0.0.2')), undefined);
  });

  it('are needed for an address inside a block, which may have an owner of its own', () => {
    const { state, lookups } = setUp();
    const cidr = parseCidr('10.0.0.0/8');
    assert.ok(cidr);
    const cidrVips = [{ network: '', cidr }];
    state.apply([{ kind: 'service', service: { ...clusterService('s', undefined, {}), cidrVips } }]);
    assert.equal(state.servicesByCidr('', ip('10.0.0.2')).length, 1);
    assert.equal(lookups.addressKey('', ip('10.0.0.2')), '/10.0.0.2');
  });

  it('end with the thread', async () => {
    const { lookups } = setUp();
    const waiting = lookups.fetch(['a']);
    lookups.close();
    assert.equal(await isDone(waiting), true);
  });
});
