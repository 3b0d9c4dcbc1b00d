import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LargeResponses } from '../../../../src/xds/server/large-responses.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const MB = 1024 * 1024;
const MANY = 100_000;

describe('LargeResponses', () => {
  it('lets small responses go, whatever else is on its way', () => {
    const large = new LargeResponses(new ManualClock());
    large.sent(500 * MB);
    assert.equal(large.admits(1000, assert.fail), true);
  });

  it('makes who has much to send wait until enough has left, in the order in which they came', () => {
    const large = new LargeResponses(new ManualClock());
    const leaving = [large.sent(40 * MB), large.sent(40 * MB)];
    const admitted: string[] = [];
    const streams = ['first', 'second', 'third'].map((name) => () => {
      admitted.push(name);
      leaving.push(large.sent(40 * MB));
    });
    assert.deepEqual(
      streams.map((retry) => large.admits(MANY, retry)),
      [false, false, false],
    );
    leaving[0]?.();
    assert.deepEqual(admitted, ['first']);
    leaving[0]?.();
    assert.deepEqual(admitted, ['first'], 'a response that left twice made room once');
    leaving[1]?.();
    leaving[2]?.();
    assert.deepEqual(admitted, ['first', 'second', 'third']);
  });

  it('does not wait for a client that does not read', () => {
    const clock = new ManualClock();
    const large = new LargeResponses(clock);
    large.sent(100 * MB);
    let admitted = 0;
    assert.equal(
      large.admits(MANY, () => admitted++),
      false,
    );
    clock.advance(9_999);
    assert.equal(admitted, 0);
    clock.advance(1);
    assert.equal(admitted, 1);
  });

  it('does not call who has gone', () => {
    const large = new LargeResponses(new ManualClock());
    const left = large.sent(100 * MB);
    const retry = () => assert.fail('called');
    large.admits(MANY, retry);
    large.forget(retry);
    left();
  });
});
