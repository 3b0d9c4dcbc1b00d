import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReviewCache } from '../../../src/kube/review-cache.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

describe('answers that count for a short while', () => {
  it('are bounded in number: what was not asked for the longest is asked again', async () => {
    let asked = 0;
    const ask = () => Promise.resolve({ n: ++asked });
    const cache = new ReviewCache<{ n: number }>(
      { maxAnswers: 2, maxRunning: 9, keepMs: () => 1000 },
      new ManualClock(),
    );
    for (const key of ['a', 'b', 'a', 'c', 'a']) await cache.answer(key, ask);
    assert.equal(asked, 3);
    await cache.answer('b', ask);
    assert.equal(asked, 4);
  });

  it('are none while too many other questions are under way', async () => {
    const cache = new ReviewCache<object>({ maxAnswers: 9, maxRunning: 2, keepMs: () => 0 }, new ManualClock());
    const open: (() => void)[] = [];
    const hang = () => new Promise<object>((resolve) => open.push(() => resolve({})));
    const running = [cache.answer('a', hang), cache.answer('a', hang), cache.answer('b', hang)];
    assert.equal(await cache.answer('c', hang), undefined);
    for (const end of open) end();
    assert.ok((await Promise.all(running)).every((answer) => answer !== undefined));
    assert.equal(open.length, 2, 'the same question is asked once');
    assert.notEqual(await cache.answer('c', () => Promise.resolve({})), undefined);
  });
});
