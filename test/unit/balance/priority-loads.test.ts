import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { priorityLoads } from '../../../src/balance/priority-loads.ts';

function shares(levels: readonly [number, number][], panicPercent = 0): number[] {
  return priorityLoads(
    levels.map(([healthy, total]) => ({ healthy, total })),
    panicPercent,
  ).map(({ share }) => Math.round(share * 100));
}

describe('shares of priorities', () => {
  it('give all to the first while it can carry it', () => {
    assert.deepEqual(
      shares([
        [8, 10],
        [10, 10],
      ]),
      [100, 0],
    );
  });

  it('spill over below 5 of 7', () => {
    assert.deepEqual(
      shares([
        [5, 10],
        [10, 10],
      ]),
      [70, 30],
    );
  });

  it('go on to the next where the first has nobody', () => {
    assert.deepEqual(
      shares([
        [0, 10],
        [10, 10],
      ]),
      [0, 100],
    );
  });

  it('are stretched where all together cannot carry the load', () => {
    assert.deepEqual(
      shares([
        [2, 10],
        [2, 10],
      ]),
      [50, 50],
    );
  });
});

describe('panic', () => {
  it('comes where too few are healthy, and nobody else can help', () => {
    assert.equal(priorityLoads([{ healthy: 4, total: 10 }], 50)[0]?.panics, true);
    assert.equal(priorityLoads([{ healthy: 6, total: 10 }], 50)[0]?.panics, false);
  });

  it('does not come where another priority carries the load', () => {
    assert.equal(
      priorityLoads(
        [
          { healthy: 1, total: 10 },
          { healthy: 10, total: 10 },
        ],
        50,
      )[0]?.panics,
      false,
    );
  });

  it('is off at zero', () => {
    assert.equal(priorityLoads([{ healthy: 0, total: 10 }], 0)[0]?.panics, false);
  });
});
