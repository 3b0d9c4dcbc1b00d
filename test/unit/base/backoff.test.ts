import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from '../../../src/base/backoff.ts';

describe('a backoff', () => {
  it('doubles up to its maximum and starts over when reset', () => {
    const backoff = new Backoff({ initialMs: 10, maxMs: 60 });
    assert.deepEqual(
      Array.from({ length: 5 }, () => backoff.next()),
      [10, 20, 40, 60, 60],
    );
    backoff.reset();
    assert.equal(backoff.next(), 10);
  });

  it('spreads by its jitter and no further', () => {
    for (const [random, expected] of [
      [0, 80],
      [0.5, 100],
      [1, 120],
    ] as const) {
      assert.equal(new Backoff({ initialMs: 100, maxMs: 100, jitter: 0.2, random: () => random }).next(), expected);
    }
  });
});
