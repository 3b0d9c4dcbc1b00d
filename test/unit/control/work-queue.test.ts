import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WorkQueue } from '../../../src/control/work-queue.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

describe('WorkQueue', () => {
  it('works on each name once, and once more when it was added meanwhile', async () => {
    const clock = new ManualClock();
    const done: string[] = [];
    const queue: WorkQueue = new WorkQueue({ spacingMs: 10 }, clock, (name) => {
      done.push(name);
      if (done.length === 1) queue.add(name);
      return Promise.resolve(true);
    });
    queue.add('a');
    queue.add('b');
    queue.add('b');
    await eventually('all', () => {
      clock.advance(10);
      return done.length === 3;
    });
    assert.deepEqual(done, ['a', 'a', 'b']);
    await queue.stop();
  });

  it('starts no more often than its spacing allows', async () => {
    const clock = new ManualClock();
    const startsMs: number[] = [];
    const queue = new WorkQueue({ spacingMs: 50 }, clock, () => {
      startsMs.push(clock.nowMs());
      return Promise.resolve(true);
    });
    for (const name of ['a', 'b', 'c']) queue.add(name);
    await eventually('all', () => {
      clock.advance(5);
      return startsMs.length === 3;
    });
    const [a = 0, b = 0, c = 0] = startsMs;
    assert.ok(b - a >= 50 && c - b >= 50);
    await queue.stop();
  });

  it('tries what failed again after a pause that grows, and others meanwhile', async () => {
    const clock = new ManualClock();
    const done: string[] = [];
    const queue = new WorkQueue({ spacingMs: 0, retryMs: 1000 }, clock, (name) => {
      done.push(`${name}@${Math.floor(clock.nowMs() / 1000)}`);
      return Promise.resolve(name !== 'bad');
    });
    queue.add('bad');
    queue.add('good');
    await eventually('two retries', () => {
      clock.advance(100);
      return done.length >= 4;
    });
    assert.match(done[0] ?? '', /^bad@0/);
    assert.match(done[1] ?? '', /^good@0/);
    assert.match(done[2] ?? '', /^bad@1/);
    assert.match(done[3] ?? '', /^bad@3/);
    await queue.stop();
    const count = done.length;
    clock.advance(100_000);
    assert.equal(done.length, count);
  });
});
