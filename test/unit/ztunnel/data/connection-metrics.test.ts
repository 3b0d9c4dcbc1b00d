import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWorkload } from '../../../../src/model/workload.ts';
import { renderMetrics } from '../../../../src/telemetry/exposition.ts';
import { ConnectionMetrics } from '../../../../src/ztunnel/data/connection-metrics.ts';

const [web, shop, stranger] = ['web', 'shop', 'stranger'].map((name) =>
  createWorkload({ uid: name, name, namespace: 'default', workloadName: name }),
);
type Facts = Parameters<ConnectionMetrics['open']>[0];
const FACTS: Facts = {
  direction: 'outbound',
  source: web,
  sourceIdentity: 'spiffe://td/ns/default/sa/web',
  destination: shop,
  destinationIdentity: 'spiffe://td/ns/default/sa/shop',
  service: undefined,
};
const cart = { name: 'cart', namespace: 'default', hostname: 'cart.default' } as NonNullable<Facts['service']>;
const baggage = (workload: string) => ({
  workload,
  namespace: 'far',
  canonicalService: '',
  canonicalRevision: '',
  cluster: '',
  region: '',
  zone: '',
});

/** Opens each, twice in turns. @returns the values of `istio_tcp_connections_opened` by their labels */
function opened(facts: readonly Facts[]): Map<string, number> {
  const metrics = new ConnectionMetrics();
  for (let round = 0; round < 2; round++) for (const one of facts) metrics.open({ ...one }, 'client');
  const lines = renderMetrics(metrics.families(), 'text').split('\n');
  return new Map(
    lines
      .filter((line) => line.startsWith('istio_tcp_connections_opened_total{'))
      .map((line) => [line.replace(/ \d+$/, ''), Number(/\d+$/.exec(line)?.[0])]),
  );
}

describe('the metrics of connections', () => {
  it('tell connections apart by everything that their labels are made of', () => {
    const different: readonly Facts[] = [
      FACTS,
      { ...FACTS, direction: 'inbound' },
      { ...FACTS, source: stranger },
      { ...FACTS, source: undefined },
      { ...FACTS, source: undefined, direction: 'inbound' },
      { ...FACTS, source: undefined, sourceBaggage: baggage('a') },
      { ...FACTS, source: undefined, sourceBaggage: baggage('b') },
      { ...FACTS, destination: stranger },
      { ...FACTS, destination: undefined },
      { ...FACTS, sourceIdentity: undefined },
      { ...FACTS, destinationIdentity: undefined },
      { ...FACTS, service: cart },
    ];
    const found = opened(different);
    assert.equal(found.size, different.length);
    assert.deepEqual([...new Set(found.values())], [2]);
  });

  it('count in one series what has the same labels, whichever object says them', () => {
    const copies = Array.from({ length: 20 }, () => ({ ...FACTS, service: { ...cart } }));
    assert.deepEqual([...opened(copies).values()], [40]);
  });

  it('are right for more services of two workloads than are kept', () => {
    const services = Array.from({ length: 20 }, (_, index) => ({
      ...FACTS,
      service: { ...cart, name: `cart-${index}` },
    }));
    const found = opened(services);
    assert.equal(found.size, 20);
    assert.deepEqual([...new Set(found.values())], [2]);
  });

  it('take no baggage into account where the feed knows the workload', () => {
    assert.equal(opened([FACTS, { ...FACTS, sourceBaggage: baggage('liar') }]).size, 1);
  });

  it('name a workload anew that the feed changed', () => {
    const renamed = createWorkload({ uid: 'shop', name: 'shop', namespace: 'default', workloadName: 'shop-v2' });
    const labels = [...opened([FACTS, { ...FACTS, destination: renamed }]).keys()];
    assert.equal(labels.filter((text) => text.includes('destination_workload="shop-v2"')).length, 1);
    assert.equal(labels.length, 2);
  });
});
