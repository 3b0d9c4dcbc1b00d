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

  it('that are good are not pushed out by bad ones, and are renewed while too many others are under way', async () => {
    const clock = new ManualClock();
    const open: (() => void)[] = [];
    const hang = () => new Promise<{ good: boolean }>((resolve) => open.push(() => resolve({ good: true })));
    const cache = new ReviewCache<{ good: boolean }>(
      { maxAnswers: 1, maxRunning: 1, keepMs: () => 1000, graceMs: ({ good }) => (good ? 5000 : 0) },
      clock,
    );
    await cache.answer('anna', async () => ({ good: true }));
    await cache.answer('guess', async () => ({ good: false }));
    assert.deepEqual(await cache.answer('anna', hang), { good: true });
    clock.advance(1000);
    const unknown = cache.answer('unknown', hang);
    assert.equal(await cache.answer('another', hang), undefined);
    const renewed = cache.answer('anna', hang);
    assert.equal(open.length, 2, 'renewals have a place of their own');
    for (const end of open) end();
    await Promise.all([unknown, renewed]);
  });

  it('that are good do not count for ever when they cannot be renewed', async () => {
    const clock = new ManualClock();
    const cache = new ReviewCache<{ name: string }>(
      { maxAnswers: 9, maxRunning: 1, keepMs: () => 1000, graceMs: () => 5000 },
      clock,
    );
    for (const name of ['anna', 'ben']) await cache.answer(name, async () => ({ name }));
    clock.advance(1000);
    let end: () => void = assert.fail;
    const running = cache.answer('ben', () => new Promise((resolve) => (end = () => resolve({ name: 'ben' }))));
    const refuse = () => assert.fail('there is no place');
    assert.deepEqual(await cache.answer('anna', refuse), { name: 'anna' });
    clock.advance(5000);
    assert.equal(await cache.answer('anna', refuse), undefined);
    end();
    await running;
  });
});
