import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EdgeHistory } from '../../../src/traffic/edge-history.ts';
import { createCounters, type Edge, type EdgeReading } from '../../../src/traffic/edges.ts';

function edge(key: string): Edge {
  const peer = { namespace: 'a', workload: key, canonicalService: '', revision: '', principal: '' };
  const service = { namespace: '', name: '', hostname: '' };
  return { key, reporter: 'source', source: peer, destination: peer, service, protocol: 'http', mutualTls: true };
}

/** So many requests on each edge until now. */
function reading(counts: Record<string, number>): EdgeReading {
  return new Map(
    Object.entries(counts).map(([key, count]) => {
      const counters = createCounters();
      counters.requests.set('200', count);
      return [key, { edge: edge(key), counters }];
    }),
  );
}

describe('the history of edges', () => {
  it('says what happens now over the last window, from the second reading on', () => {
    const history = new EdgeHistory({ windowMs: 4000 });
    history.add(reading({ x: 0 }), 0, 0);
    assert.deepEqual(history.now(), []);
    for (let second = 1; second <= 10; second++)
      history.add(reading({ x: second < 6 ? 0 : (second - 5) * 10 }), second * 1000, second * 1000);
    assert.equal(history.now()[0]?.requestsPerSec, 10, 'what was before the window does not count');
  });

  it('keeps steps of an hour, and no more', () => {
    const history = new EdgeHistory({ stepMs: 1000, steps: 5 });
    for (let second = 0; second <= 20; second++) history.add(reading({ x: second * 3 }), second * 1000, second * 1000);
    const [kept] = history.points(() => true);
    assert.deepEqual(
      kept?.points.map(({ atMs, requestsPerSec }) => [atMs, requestsPerSec]),
      [16, 17, 18, 19, 20].map((second) => [second * 1000, 3]),
    );
  });

  it('forgets edges that were quiet the longest when there are too many', () => {
    const history = new EdgeHistory({ stepMs: 1000, steps: 5, maxEdges: 2 });
    history.add(reading({ a: 0, b: 0, c: 0 }), 0, 0);
    history.add(reading({ a: 1, b: 0, c: 0 }), 1000, 1000);
    history.add(reading({ a: 1, b: 1, c: 1 }), 2000, 2000);
    assert.deepEqual(
      history.points(() => true).map(({ edge: { key } }) => key),
      ['b', 'c'],
    );
  });

  it('holds so many edges of a reading: those that it has seen before', () => {
    const history = new EdgeHistory({ stepMs: 1000, maxReadEdges: 2 });
    history.add(reading({ a: 0, b: 0 }), 0, 0);
    history.add(reading({ x: 9, y: 9, a: 1, z: 9, b: 1 }), 1000, 1000);
    const keys = (edges: Iterable<Edge>) => [...new Set([...edges].map(({ key }) => key))].sort();
    assert.deepEqual(keys(history.edges()), ['a', 'b']);
    assert.deepEqual(
      history.now().map(({ requestsPerSec }) => requestsPerSec),
      [1, 1],
    );
  });
});
