import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCounters, type Edge, type EdgeCounters } from '../../../src/traffic/edges.ts';
import { groupRates } from '../../../src/traffic/group-rates.ts';

const peer = (workload: string) => ({ workload, namespace: 'shop', canonicalService: '', revision: '', principal: '' });

function edge(source: string, destination: string, more: Partial<Edge> = {}): Edge {
  const service = { namespace: 'shop', name: 'cart', hostname: 'cart.shop.svc.cluster.local' };
  const reporter = 'waypoint' as const;
  const key = `${source}>${destination}>${more.reporter ?? reporter}`;
  const fixed = { protocol: 'http', mutualTls: true, service, reporter };
  return { key, source: peer(source), destination: peer(destination), ...fixed, ...more };
}

function counters(requests: number, buckets: readonly (readonly [number, number])[], more: Partial<EdgeCounters> = {}) {
  return { ...createCounters(), requests: new Map([['200', requests]]), durationBuckets: new Map(buckets), ...more };
}

const reading = (...entries: readonly (readonly [Edge, EdgeCounters])[]) =>
  new Map(entries.map(([one, counts]) => [one.key, { edge: one, counters: counts }]));

describe('rates of groups', () => {
  const a = edge('web', 'cart-v1');
  const b = edge('phone', 'cart-v2');

  it('add what edges count, and take latencies from all of it', () => {
    const after = reading(
      [
        a,
        counters(90, [
          [10, 90],
          [Infinity, 90],
        ]),
      ],
      [
        b,
        counters(10, [
          [10, 0],
          [100, 10],
          [Infinity, 10],
        ]),
      ],
    );
    const [rates, ...others] = groupRates(new Map(), after, 10_000, ({ service }) => service.name);
    assert.deepEqual(others, []);
    assert.equal(rates?.group, 'cart');
    assert.equal(rates?.requestsPerSec, 10);
    assert.ok((rates?.p50Ms ?? 0) <= 10);
    assert.ok((rates?.p99Ms ?? 0) > 10);
  });

  it('take a proxy that began anew for what it counted since', () => {
    const before = reading([a, counters(1000, [])], [b, counters(50, [])]);
    const after = reading([a, counters(20, [])], [b, counters(60, [])]);
    const [rates] = groupRates(before, after, 1000, () => 'all');
    assert.equal(rates?.requestsPerSec, 30);
  });

  it('count a connection once that both ends report, and leave out what has no group', () => {
    const tcp = { protocol: 'tcp' };
    const seen = [
      [edge('web', 'db', { ...tcp, reporter: 'source' }), counters(0, [], { opened: 4, closed: 1 })],
      [edge('web', 'db', { ...tcp, reporter: 'destination' }), counters(0, [], { opened: 4, closed: 1 })],
      [b, counters(5, [])],
    ] as const;
    const groupOf = ({ destination }: Edge) => (destination.workload === 'db' ? 'db' : undefined);
    const rates = groupRates(new Map(), reading(...seen), 2000, groupOf);
    assert.deepEqual(
      rates.map(({ group, open, openedPerSec }) => ({ group, open, openedPerSec })),
      [{ group: 'db', open: 3, openedPerSec: 2 }],
    );
  });
});
