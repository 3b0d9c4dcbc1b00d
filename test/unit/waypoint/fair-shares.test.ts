import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FairShares } from '../../../src/waypoint/fair-shares.ts';

function taken(shares: FairShares, client: string, wanted: number): number {
  let count = 0;
  for (let tries = 0; tries < wanted; tries++) {
    if (shares.enter(client)) count++;
  }
  return count;
}

describe('places that clients share', () => {
  it('are half of all for a client that is alone, and half of the rest for the next', () => {
    const shares = new FairShares(1000);
    assert.equal(taken(shares, 'greedy', 5000), 500);
    assert.equal(taken(shares, 'other', 5000), 250);
    assert.equal(taken(shares, 'third', 10), 10);
    assert.equal(shares.refused, 4500 + 4750);
  });

  it('are not taken by asking for more of them', () => {
    const shares = new FairShares(100);
    assert.equal(taken(shares, 'greedy', 10_000), 50);
    assert.equal(shares.used, 50);
    assert.equal(taken(shares, 'other', 25), 25);
  });

  it('come back when they are left', () => {
    const shares = new FairShares(10);
    assert.equal(taken(shares, 'a', 10), 5);
    for (let count = 0; count < 5; count++) shares.leave('a');
    assert.equal(shares.used, 0);
    assert.equal(taken(shares, 'b', 10), 5);
  });

  it('are not given back more often than they were taken', () => {
    const shares = new FairShares(10);
    shares.leave('a');
    assert.equal(shares.used, 0);
  });

  it('have no limit at 0', () => {
    assert.equal(taken(new FairShares(0), 'a', 10_000), 10_000);
  });
});
