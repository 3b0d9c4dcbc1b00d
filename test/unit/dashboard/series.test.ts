import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCallOf, memorySeries, type SeriesSubject } from '../../../src/dashboard/series.ts';
import { EdgeHistory } from '../../../src/traffic/edge-history.ts';
import { createCounters, type Edge, type EdgeReporter } from '../../../src/traffic/edges.ts';

function edge(reporter: EdgeReporter, from: string, to: string, revision = 'v1'): Edge {
  const peer = (workload: string) => ({ namespace: 'shop', workload, canonicalService: '', revision, principal: '' });
  return {
    key: `${reporter}|${from}|${to}`,
    reporter,
    source: peer(from),
    destination: peer(to),
    service: { namespace: 'shop', name: 'cart', hostname: 'cart.shop' },
    protocol: 'http',
    mutualTls: true,
  };
}

/** One step of 10 s, in which each edge had so many requests, a tenth of them errors, all within a bucket. */
function historyOf(...edges: readonly { readonly edge: Edge; readonly requests: number; readonly bucketMs: number }[]) {
  const history = new EdgeHistory({ stepMs: 10_000 });
  const empty = new Map(edges.map(({ edge }) => [edge.key, { edge, counters: createCounters() }]));
  const full = new Map(
    edges.map(({ edge, requests, bucketMs }) => {
      const counters = createCounters();
      counters.requests.set('200', requests * 0.9);
      counters.requests.set('503', requests * 0.1);
      counters.durationBuckets.set(bucketMs, requests);
      return [edge.key, { edge, counters }];
    }),
  );
  history.add(empty, 1000, 0);
  history.add(full, 11_000, 10_000);
  return history;
}

describe('a history from memory', () => {
  it('adds up the calls that are meant', () => {
    const history = historyOf(
      { edge: edge('waypoint', 'web', 'cart'), requests: 100, bucketMs: 10 },
      { edge: edge('waypoint', 'app', 'cart'), requests: 300, bucketMs: 50 },
      { edge: edge('waypoint', 'app', 'other'), requests: 500, bucketMs: 50 },
    );
    const { source, points } = memorySeries(history, ({ destination }) => destination.workload === 'cart');
    assert.equal(source, 'memory');
    assert.equal(points.length, 1);
    assert.deepEqual([points[0]?.atMs, points[0]?.requestsPerSec], [11_000, 40]);
    assert.equal(points[0]?.errorsPerSec.toFixed(6), '4.000000');
  });

  it('has the p99 of the slowest caller, and a median that counts each by its requests', () => {
    const history = historyOf(
      { edge: edge('waypoint', 'web', 'cart'), requests: 100, bucketMs: 10 },
      { edge: edge('waypoint', 'app', 'cart'), requests: 300, bucketMs: 50 },
    );
    const [point] = memorySeries(history, () => true).points;
    assert.equal(point?.p99Ms, 49.5);
    assert.equal(point?.p50Ms, (5 + 3 * 25) / 4);
  });

  it('counts once what both ends of a connection report', () => {
    const history = historyOf(
      { edge: edge('source', 'web', 'cart'), requests: 100, bucketMs: 10 },
      { edge: edge('destination', 'web', 'cart'), requests: 100, bucketMs: 10 },
      { edge: edge('destination', 'stranger', 'cart'), requests: 50, bucketMs: 10 },
    );
    assert.equal(memorySeries(history, () => true).points[0]?.requestsPerSec, 15);
  });
});

describe('what a call went to', () => {
  const subject = (more: Partial<SeriesSubject>): SeriesSubject => ({
    kind: 'service',
    namespace: 'shop',
    name: 'cart',
    revision: '',
    ...more,
  });

  it('is a service, a workload, or one version of either', () => {
    const call = edge('waypoint', 'web', 'cart-v2', 'v2');
    assert.ok(isCallOf(subject({}), call));
    assert.ok(isCallOf(subject({ revision: 'v2' }), call));
    assert.equal(isCallOf(subject({ revision: 'v1' }), call), false);
    assert.ok(isCallOf(subject({ kind: 'workload', name: 'cart-v2' }), call));
    assert.equal(isCallOf(subject({ kind: 'workload', name: 'cart' }), call), false);
  });
});
