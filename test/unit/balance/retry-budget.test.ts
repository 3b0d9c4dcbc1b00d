import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetryBudget } from '../../../src/balance/retry-budget.ts';

describe('a retry budget', () => {
  it('is a share of the requests under way, and some however few there are', () => {
    const budget = new RetryBudget({ percent: 20, minConcurrency: 3, intervalMs: 0 });
    budget.requestEnded(0);
    assert.deepEqual(
      [0, 15, 19, 20, 100].map((active) => budget.limit(active, 0)),
      [3, 3, 3, 4, 20],
    );
  });

  it('counts requests for some time after their end', () => {
    const budget = new RetryBudget({ percent: 50, minConcurrency: 0, intervalMs: 1000 });
    for (let count = 0; count < 8; count++) budget.requestEnded(count < 4 ? 50_000 : 50_500);
    assert.equal(budget.limit(2, 50_900), 5);
    assert.equal(budget.limit(2, 51_050), 3);
    assert.equal(budget.limit(2, 51_600), 1);
    budget.requestEnded(90_000);
    budget.requestEnded(90_000);
    assert.equal(budget.limit(0, 90_000), 1);
    assert.equal(budget.limit(0, 900_000), 0);
  });
});
