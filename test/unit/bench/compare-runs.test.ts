import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changes, memoryRatios, speedRatios } from '../../../bench/compare-runs.ts';

const result = (name: string, ...rates: (number | null)[]) => ({ name, samples: rates.map((rate) => ({ rate })) });
const run = (...results: ReturnType<typeof result>[]) => speedRatios({ lines: [{ name: 'requests', results }] });
const RATE = 'requests: ambit against haproxy: rate';

describe('two runs of a bench', () => {
  const before = run(result('ambit', 200), result('haproxy', 100));

  it('are compared by the ratio to the peer, not by rates', () => {
    const now = run(result('ambit', 20), result('haproxy', 10));
    assert.deepEqual(changes(before, now, 0.25), [{ what: RATE, before: 2, now: 2, isLost: false }]);
  });

  it('lose what is worse by more than the tolerance', () => {
    const lost = (rate: number) =>
      changes(before, run(result('ambit', rate), result('haproxy', 100)), 0.25).some(({ isLost }) => isLost);
    assert.deepEqual([lost(151), lost(149)], [false, true]);
  });

  it('lose, too, where less is better', () => {
    const use = (bytes: number) => ({ busy: { pssBytes: bytes, rssBytes: bytes } });
    const memory = (bytes: number) =>
      memoryRatios({ lines: [{ pods: 30, services: 100, sidecars: use(1000), node: use(bytes) }] });
    assert.ok(changes(memory(100), memory(140), 0.25).every(({ isLost }) => isLost));
    assert.ok(changes(memory(100), memory(60), 0.25).every(({ isLost }) => !isLost));
  });

  it('cannot be compared where a line is missing now', () => {
    const now = speedRatios({ lines: [{ name: 'bulk', results: [result('ambit', 1), result('haproxy', 1)] }] });
    assert.throws(() => changes(before, now, 0.25), /requests: ambit against haproxy: rate was not measured/);
  });

  it('cannot be compared where a rate is no number, or nothing is there', () => {
    assert.throws(() => run(result('ambit', null), result('haproxy', 100)), /has no ratio/);
    assert.throws(() => run(result('ambit', 100), result('haproxy', 0)), /has no ratio/);
    assert.throws(() => run(result('ambit', 100)), /nothing in it can be compared/);
    assert.throws(() => memoryRatios({ lines: [] }), /nothing in it can be compared/);
  });

  it('have contestants with two threads compared with each other', () => {
    const two = [result('ambit', 1), result('ambit-2', 3), result('haproxy', 1), result('haproxy-2', 2)];
    const ratios = speedRatios({ lines: [], twoCores: [{ name: 'requests', results: two }] });
    assert.equal(ratios.get('requests, two cores: ambit-2 against haproxy-2: rate')?.ratio, 1.5);
  });
});
