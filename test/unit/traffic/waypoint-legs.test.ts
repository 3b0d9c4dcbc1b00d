import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Edge } from '../../../src/traffic/edges.ts';
import { secondLegs } from '../../../src/traffic/waypoint-legs.ts';

const peer = (workload: string) => ({ workload, namespace: 'shop', canonicalService: '', revision: '', principal: '' });

function edge(source: string, destination: string, more: Partial<Edge> = {}): Edge {
  const service = { namespace: 'shop', name: 'cart', hostname: 'cart.shop.svc.cluster.local' };
  const fixed = { protocol: 'tcp', mutualTls: true, service, reporter: 'source' as const };
  return { key: `${source}>${destination}`, source: peer(source), destination: peer(destination), ...fixed, ...more };
}

describe('connections through a waypoint', () => {
  const toWaypoint = edge('web', 'gate');
  const fromWaypoint = edge('gate', 'cart', { reporter: 'destination' });
  const endToEnd = edge('web', 'cart', { reporter: 'waypoint' });
  const waypoints = new Set(['shop/gate']);

  it('are those of clients alone', () => {
    const isSecond = secondLegs([toWaypoint, fromWaypoint, endToEnd], waypoints);
    assert.deepEqual([toWaypoint, fromWaypoint, endToEnd].map(isSecond), [false, true, true]);
  });

  it('are taken from where they are seen when nobody sees them on the way to it', () => {
    const isSecond = secondLegs([fromWaypoint], waypoints);
    assert.equal(isSecond(fromWaypoint), false);
  });

  it('do not hide requests, nor calls of workloads that are no waypoints', () => {
    const requests = edge('web', 'cart', { reporter: 'waypoint', protocol: 'http' });
    const own = edge('cart', 'cart');
    const isSecond = secondLegs([toWaypoint, requests, own], waypoints);
    assert.deepEqual([requests, own].map(isSecond), [false, false]);
  });
});
