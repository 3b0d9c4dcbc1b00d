import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Outcome, OutlierDetector, type OutlierSettings } from '../../../src/balance/outlier-detector.ts';

const SETTINGS: OutlierSettings = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  splitLocalOrigin: false,
  consecutiveLocalOrigin: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 10,
  errorCodes: [],
};

const status = (code: number): Outcome => ({ kind: 'status', status: code });
const RESET: Outcome = { kind: 'reset' };

class Detector {
  readonly detector: OutlierDetector;

  constructor(settings: Partial<OutlierSettings> = {}) {
    this.detector = new OutlierDetector({ ...SETTINGS, ...settings }, 0);
  }

  /** @returns after how many of the outcomes the host went */
  feed(id: string, outcome: Outcome, times: number, { hosts = 10, nowMs = 0 } = {}): number | undefined {
    for (let count = 1; count <= times; count++) if (this.detector.report(id, outcome, hosts, nowMs)) return count;
    return undefined;
  }
}

describe('a row of failures', () => {
  it('ejects at its end', () => {
    const one = new Detector();
    assert.equal(one.feed('a', status(500), 10), 5);
    assert.deepEqual([...one.detector.ejected], ['a']);
  });

  it('starts again after a success', () => {
    const one = new Detector();
    one.feed('a', status(500), 4);
    one.feed('a', status(200), 1);
    assert.equal(one.feed('a', status(500), 4), undefined);
  });

  it('counts what the waypoint saw itself as errors of a gateway', () => {
    assert.equal(new Detector().feed('a', RESET, 9), 5);
    assert.equal(new Detector({ consecutive5xx: 0, consecutiveGatewayErrors: 2 }).feed('a', RESET, 9), 2);
  });

  it('of gateway errors takes 502 to 504 only', () => {
    const settings = { consecutive5xx: 0, consecutiveGatewayErrors: 2 };
    assert.equal(new Detector(settings).feed('a', status(503), 9), 2);
    assert.equal(new Detector(settings).feed('a', status(500), 9), undefined);
  });

  it('of local origin is one of its own when split', () => {
    const split = { splitLocalOrigin: true, consecutiveLocalOrigin: 3 };
    const one = new Detector(split);
    one.feed('a', status(500), 4);
    assert.equal(one.feed('a', RESET, 9), 3);
    const other = new Detector(split);
    other.feed('a', RESET, 2);
    other.feed('a', status(500), 1);
    assert.equal(other.feed('a', RESET, 2), undefined);
  });

  it('counts the listed statuses only, if some are listed', () => {
    assert.equal(new Detector({ errorCodes: [429] }).feed('a', status(429), 9), 5);
    assert.equal(new Detector({ errorCodes: [429] }).feed('a', status(500), 9), undefined);
  });

  it('is off at zero', () => {
    assert.equal(new Detector({ consecutive5xx: 0 }).feed('a', status(500), 99), undefined);
  });
});

describe('ejection', () => {
  it('ends at the first sweep after its time', () => {
    const { detector } = new Detector({ consecutive5xx: 1 });
    detector.report('a', RESET, 10, 1000);
    assert.equal(detector.sweep(30_000), false);
    assert.equal(detector.sweep(30_999), false);
    assert.equal(detector.sweep(40_000), true);
    assert.equal(detector.ejected.size, 0);
  });

  it('lasts longer each time, and is forgiven by and by', () => {
    const { detector } = new Detector({ consecutive5xx: 1 });
    detector.report('a', RESET, 10, 0);
    assert.equal(detector.sweep(30_000), true);
    detector.report('a', RESET, 10, 30_000);
    assert.equal(detector.sweep(80_000), false);
    assert.equal(detector.sweep(90_000), true);
    detector.sweep(200_000);
    detector.report('a', RESET, 10, 200_000);
    assert.equal(detector.sweep(230_000), true);
  });

  it('takes no more than the allowed part, but always one', () => {
    const { detector } = new Detector({ consecutive5xx: 1, maxEjectionPercent: 50 });
    assert.equal(detector.report('a', RESET, 4, 0), true);
    assert.equal(detector.report('b', RESET, 4, 0), true);
    assert.equal(detector.report('c', RESET, 4, 0), false);
    assert.equal(new Detector({ consecutive5xx: 1 }).detector.report('a', RESET, 1, 0), true);
  });

  it('is forgotten with its host', () => {
    const { detector } = new Detector({ consecutive5xx: 1 });
    detector.report('a', RESET, 4, 0);
    detector.keepOnly(new Set(['b']));
    assert.equal(detector.ejected.size, 0);
  });
});
