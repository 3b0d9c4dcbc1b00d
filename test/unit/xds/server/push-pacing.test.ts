import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PushLoad, PushPacing } from '../../../../src/xds/server/push-pacing.ts';

/** Of an event loop that does nothing. */
const IDLE = () => 0;

/** A load of which the share is as given, after its first moments. */
function loadOf(share: number): PushLoad {
  let nowMs = 0;
  const load = new PushLoad(() => nowMs * share);
  return Object.assign(load, {
    share: (atMs: number) => {
      nowMs = atMs;
      return PushLoad.prototype.share.call(load, atMs);
    },
  });
}

/** Changes that come in steps, each pushed when its delay is over. @returns the delays */
function run(pacing: PushPacing, { everyMs = 0, count = 0 }: { everyMs?: number; count?: number }): number[] {
  const delays: number[] = [];
  let nowMs = 1000;
  for (let change = 0; change < count; change++) {
    const delayMs = pacing.delayMs(nowMs);
    delays.push(delayMs);
    pacing.pushed(nowMs + delayMs);
    nowMs += Math.max(everyMs, delayMs);
  }
  return delays;
}

describe('PushPacing', () => {
  it('sends a single change at once, and the next after quiet', () => {
    assert.deepEqual(run(new PushPacing(new PushLoad(IDLE)), { everyMs: 500, count: 5 }), [0, 0, 0, 0, 0]);
  });

  it('delays by a few milliseconds at most while the process has time, however long changes keep coming', () => {
    for (const everyMs of [1, 5, 15, 50]) {
      const delays = run(new PushPacing(loadOf(0.4)), { everyMs, count: 1000 });
      assert.ok(Math.max(...delays) <= 5, `${Math.max(...delays)} ms when changes come every ${everyMs} ms`);
    }
  });

  it('merges for up to 100 ms when the process has no time left', () => {
    const delays = run(new PushPacing(loadOf(1)), { everyMs: 1, count: 200 });
    assert.ok(Math.max(...delays) > 90 && Math.max(...delays) <= 100, `${Math.max(...delays)}`);
  });

  it('merges for longer the busier the process is', () => {
    const longest = [0.55, 0.65, 0.8].map((share) =>
      Math.max(...run(new PushPacing(loadOf(share)), { everyMs: 1, count: 400 })),
    );
    assert.deepEqual(
      longest,
      longest.toSorted((a, b) => a - b),
    );
    assert.ok((longest[0] ?? 0) > 5 && (longest[2] ?? 0) < 100, longest.join(' '));
  });

  it('forgets a burst after a quiet spell', () => {
    const pacing = new PushPacing(loadOf(1));
    run(pacing, { everyMs: 1, count: 200 });
    assert.equal(pacing.delayMs(1_000_000), 0);
  });
});

describe('PushLoad', () => {
  it('is the share of time for which the event loop was busy, and fades', () => {
    let activeMs = 0;
    const load = new PushLoad(() => activeMs);
    for (let ms = 0; ms < 2000; ms += 10) {
      activeMs += 5;
      load.share(ms);
    }
    assert.ok(Math.abs(load.share(2000) - 0.5) < 0.05, `${load.share(2000)}`);
    assert.ok(load.share(4000) < 0.001);
  });

  it('takes no notice of how often it is asked', () => {
    const often = loadOf(0.6);
    const seldom = loadOf(0.6);
    for (let ms = 1; ms <= 3000; ms++) often.share(ms);
    assert.ok(Math.abs(often.share(3000) - seldom.share(3000)) < 0.001);
  });
});
