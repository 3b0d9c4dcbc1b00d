import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceGraph } from '../../../src/dashboard/service-graph.ts';
import type { EdgeRates } from '../../../src/traffic/edge-rates.ts';
import type { EdgeReporter } from '../../../src/traffic/edges.ts';

function rates(reporter: EdgeReporter, from: string, to: string, more: Partial<EdgeRates> = {}): EdgeRates {
  const peer = (workload: string) => ({
    namespace: 'shop',
    workload,
    canonicalService: '',
    revision: '',
    principal: `p/${workload}`,
  });
  const service = { namespace: 'shop', name: 'cart', hostname: 'cart.shop' };
  const protocol = reporter === 'waypoint' ? 'http' : 'tcp';
  return {
    edge: {
      key: `${reporter}|${from}|${to}`,
      reporter,
      source: peer(from),
      destination: peer(to),
      service,
      protocol,
      mutualTls: true,
    },
    requestsPerSec: 1,
    successShare: 1,
    codesPerSec: {},
    p50Ms: 1,
    p95Ms: 2,
    p99Ms: 3,
    openedPerSec: 0,
    failedPerSec: 0,
    deniedPerSec: 0,
    requestBytesPerSec: 0,
    responseBytesPerSec: 0,
    receivedBytesPerSec: 10,
    sentBytesPerSec: 5,
    open: 0,
    ...more,
  };
}

describe('the graph', () => {
  it('has one edge for what both ends of a connection report', () => {
    const { edges } = serviceGraph([rates('source', 'web', 'cart'), rates('destination', 'web', 'cart')], new Set());
    assert.deepEqual(
      edges.map(({ id }) => id),
      ['source|web|cart'],
    );
  });

  it('keeps what only the server sees, as of a client outside the mesh', () => {
    const { edges } = serviceGraph([rates('destination', 'outside', 'cart')], new Set());
    assert.equal(edges.length, 1);
  });

  it('names waypoints, and what no endpoint took by the service that was called', () => {
    const all = [rates('source', 'web', 'gate'), rates('waypoint', 'web', '')];
    const { nodes, edges } = serviceGraph(all, new Set(['shop/gate']));
    assert.deepEqual(
      nodes.map(({ id, kind }) => `${id} ${kind}`),
      ['shop/web workload', 'shop/gate waypoint', 'shop/cart unknown'],
    );
    assert.deepEqual(
      edges.map(({ to, service, bytesPerSec, client }) => [to, service, bytesPerSec, client]),
      [
        ['shop/gate', 'cart.shop', 15, 'p/web'],
        ['shop/cart', 'cart.shop', 15, 'p/web'],
      ],
    );
  });
});
