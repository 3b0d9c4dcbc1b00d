import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANSWER_WAIT_MS, OnDemandAddresses } from '../../../src/ztunnel/on-demand-addresses.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

function setUp(maxUnknownKeys = 100) {
  const clock = new ManualClock();
  const did: string[] = [];
  const note = (what: string) => (keys: readonly string[]) => void did.push(`${what} ${keys.join(' ')}`);
  const addresses = new OnDemandAddresses({
    clock,
    maxUnknownKeys,
    subscribe: (key) => void did.push(`subscribe ${key}`),
    unsubscribe: note('unsubscribe'),
    answer: note('answer'),
    overdue: note('overdue'),
    forget: note('forget'),
  });
  return { clock, addresses, take: () => did.splice(0) };
}

const found = (name: string, ...aliases: string[]) => ({ name, aliases });

describe('addresses asked for one by one', () => {
  it('are subscribed to once, however often they are wanted, and answered together', () => {
    const { addresses, take } = setUp();
    addresses.want('/10.0.0.1');
    addresses.want('/10.0.0.1');
    assert.deepEqual(take(), ['subscribe /10.0.0.1']);
    addresses.pushed([found('pod', '/10.0.0.1', '/fd00::1')], []);
    assert.deepEqual(take(), ['answer /10.0.0.1']);
    addresses.want('/10.0.0.1');
    assert.deepEqual(take(), ['answer /10.0.0.1'], 'a thread that asks later');
  });

  it('are answered when the control plane says that there is nothing', () => {
    const { addresses, take, clock } = setUp();
    addresses.want('/10.0.0.1');
    addresses.pushed([], ['/10.0.0.1']);
    assert.deepEqual(take(), ['subscribe /10.0.0.1', 'answer /10.0.0.1']);
    assert.deepEqual(clock.waitingMs, []);
    addresses.want('/10.0.0.1');
    assert.deepEqual(take(), ['answer /10.0.0.1']);
  });

  it('are overdue after a bounded time when nothing comes, and asked for anew by the next', () => {
    const { addresses, take, clock } = setUp();
    addresses.want('ns/host');
    clock.advance(ANSWER_WAIT_MS - 1);
    assert.deepEqual(take(), ['subscribe ns/host']);
    clock.advance(1);
    assert.deepEqual(take(), ['unsubscribe ns/host', 'overdue ns/host']);
    addresses.pushed([found('ns/host')], []);
    assert.deepEqual(take(), [], 'nobody waits any more');
    addresses.want('ns/host');
    assert.deepEqual(take(), ['subscribe ns/host']);
    addresses.pushed([found('ns/host')], []);
    assert.deepEqual(take(), ['answer ns/host']);
  });

  it('do not end the waiting for one another', () => {
    const { addresses, take } = setUp();
    addresses.want('a');
    addresses.want('b');
    take();
    addresses.pushed([found('c', '/1')], ['d']);
    assert.deepEqual(take(), []);
    addresses.pushed([found('b')], []);
    assert.deepEqual(take(), ['answer b']);
  });

  it('that nobody knows are bounded: the one wanted longest ago is forgotten by all', () => {
    const { addresses, take } = setUp(2);
    for (const key of ['a', 'b']) {
      addresses.want(key);
      addresses.pushed([], [key]);
    }
    addresses.want('a');
    take();
    addresses.want('c');
    addresses.pushed([], ['c']);
    assert.deepEqual(take(), ['subscribe c', 'answer c', 'unsubscribe b', 'forget b']);
    addresses.want('b');
    assert.deepEqual(take(), ['subscribe b'], 'it is asked for again');
  });

  it('that were found do not count against the bound', () => {
    const { addresses, take } = setUp(1);
    for (const key of ['a', 'b', 'c']) {
      addresses.want(key);
      addresses.pushed([found(key)], []);
    }
    assert.ok(!take().some((line) => line.startsWith('forget')));
  });

  it('count again once their last owner is gone or has the address no more', () => {
    const { addresses, take } = setUp(1);
    addresses.want('/1');
    addresses.want('/2');
    addresses.pushed([found('x', '/1', '/2'), found('y', '/1')], []);
    take();
    addresses.pushed([found('x', '/1')], []);
    assert.deepEqual(take(), []);
    addresses.pushed([], ['x']);
    assert.deepEqual(take(), [], 'y still has it');
    addresses.pushed([], ['y']);
    assert.deepEqual(take(), ['unsubscribe /2', 'forget /2']);
  });

  it('leave no timer behind when the feed ends', () => {
    const { addresses, clock, take } = setUp();
    addresses.want('a');
    take();
    addresses.stop();
    clock.advance(ANSWER_WAIT_MS);
    assert.deepEqual(take(), []);
  });
});
