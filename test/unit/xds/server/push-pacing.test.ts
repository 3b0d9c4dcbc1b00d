import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PushLoad, PushPacing } from '../../../../src/xds/server/push-pacing.ts';

/** Changes that come in steps, each pushed when its delay is over. @returns the delays */
function run(pacing: PushPacing, { everyMs, tookMs, count, fromMs = 1000 }: Record<string, number>): number[] {
  const delays: number[] = [];
  let nowMs = fromMs ?? 1000;
  for (let change = 0; change < (count ?? 0); change++) {
    const delayMs = pacing.delayMs(nowMs);
    delays.push(delayMs);
    pacing.pushed(nowMs + delayMs, tookMs ?? 0);
    nowMs += Math.max(everyMs ?? 0, delayMs);
  }
  return delays;
}

describe('PushPacing', () => {
  it('sends a single change at once, and the next after quiet', () => {
    const pacing = new PushPacing(new PushLoad());
    assert.deepEqual(run(pacing, { everyMs: 500, tookMs: 1, count: 5 }), [0, 0, 0, 0, 0]);
  });

  it('delays by a few milliseconds at most while pushing takes little of the process, however long changes keep coming', () => {
    for (const everyMs of [1, 5, 15, 50]) {
      const delays = run(new PushPacing(new PushLoad()), { everyMs, tookMs: 0.1, count: 1000 });
      assert.ok(Math.max(...delays) <= 5, `${Math.max(...delays)} ms when changes come every ${everyMs} ms`);
    }
  });

  it('merges for up to 100 ms when pushing takes most of the process', () => {
    const delays = run(new PushPacing(new PushLoad()), { everyMs: 1, tookMs: 200, count: 200 });
    assert.ok(Math.max(...delays) > 90 && Math.max(...delays) <= 100, `${Math.max(...delays)}`);
  });

  it('counts what other streams cost', () => {
    const load = new PushLoad();
    for (let stream = 0; stream < 100; stream++) load.note(1000, 5);
    const delays = run(new PushPacing(load), { everyMs: 1, tookMs: 5, count: 50 });
    assert.ok(Math.max(...delays) > 50, `${Math.max(...delays)}`);
  });

  it('forgets a burst after a quiet spell', () => {
    const pacing = new PushPacing(new PushLoad());
    run(pacing, { everyMs: 1, tookMs: 200, count: 200 });
    assert.equal(pacing.delayMs(1_000_000), 0);
  });
});

describe('PushLoad', () => {
  it('is the share of time that pushes take, and fades', () => {
    const load = new PushLoad();
    for (let ms = 0; ms < 2000; ms += 10) load.note(ms, 5);
    assert.ok(Math.abs(load.share(2000) - 0.5) < 0.05, `${load.share(2000)}`);
    assert.ok(load.share(4000) < 0.001);
  });
});
