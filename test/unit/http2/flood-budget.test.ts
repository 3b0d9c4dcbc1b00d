import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FloodBudget } from '../../../src/http2/flood-budget.ts';
import { HandClock } from './harness.ts';

function takeAll(budget: FloodBudget): number {
  let taken = 0;
  while (taken < 1000 && budget.take()) taken += 1;
  return taken;
}

test('a budget allows its burst, then its rate, and never more than the burst', () => {
  const clock = new HandClock();
  const budget = new FloodBudget(clock, { burst: 10, perSecond: 5 });
  assert.equal(takeAll(budget), 10);
  clock.advance(1000);
  assert.equal(takeAll(budget), 5);
  clock.advance(3_600_000);
  assert.equal(takeAll(budget), 10);
});

test('what is earned counts, up to about the burst', () => {
  const budget = new FloodBudget(new HandClock(), { burst: 10, perSecond: 5 });
  takeAll(budget);
  for (let round = 0; round < 100; round += 1) budget.earn(2);
  assert.ok(takeAll(budget) <= 11);
});
