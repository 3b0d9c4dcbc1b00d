/** The endpoint of a service, as ztunnel picks it for every connection that is captured. */
import assert from 'node:assert/strict';
import { EndpointPicker } from '../../../src/mesh/endpoint-picker.ts';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createService } from '../../../src/model/service.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import { inTurns, type MicroBench } from '../suite.ts';

const PORTS = new Map([[80, 8080]]);
const ZONES = ['a', 'b', 'c'];
/** Callers that differ in what endpoints are ranked by. */
const NODES = 16;

const locality = (zone: number) => ({ region: 'eu', zone: ZONES[zone % ZONES.length] ?? '', subzone: '' });

function meshOf(endpoints: number): MeshState {
  const state = new MeshState();
  const key = 'shop/cart.shop.svc.cluster.local';
  const workloads = Array.from({ length: endpoints }, (_, index) =>
    createWorkload({
      uid: `Kubernetes//Pod/shop/cart-${index}`,
      name: `cart-${index}`,
      namespace: 'shop',
      addresses: [`10.1.${index >> 8}.${index & 255}` as IpAddress],
      node: `node-${index % NODES}`,
      locality: locality(index),
      services: new Map([[key, PORTS]]),
    }),
  );
  state.apply(workloads.map((workload) => ({ kind: 'workload', workload })));
  return state;
}

function picks(endpoints: number): readonly MicroBench[] {
  const state = meshOf(endpoints);
  const plain = createService({
    name: 'cart',
    namespace: 'shop',
    hostname: 'cart.shop.svc.cluster.local',
    ports: PORTS,
  });
  const nearby = createService({
    ...plain,
    loadBalancer: { routingPreferences: ['Region', 'Zone'], mode: 'Failover', healthPolicy: 'OnlyHealthy' },
  });
  state.apply([{ kind: 'service', service: plain }]);
  const callers = Array.from({ length: NODES }, (_, index) =>
    createWorkload({ uid: `Kubernetes//Pod/shop/web-${index}`, node: `node-${index}`, locality: locality(index) }),
  );
  const caller = inTurns(callers);
  const near = new EndpointPicker(state, Math.random);
  const any = new EndpointPicker(state, Math.random);
  assert.ok(any.pick(plain, 80, caller(), 'standard') !== undefined);
  assert.ok(near.pick(nearby, 80, caller(), 'standard') !== undefined);
  return [
    { name: `any of ${endpoints} endpoints`, run: () => any.pick(plain, 80, caller(), 'standard') },
    { name: `of the caller's zone, ${endpoints} endpoints`, run: () => near.pick(nearby, 80, caller(), 'standard') },
    {
      name: `the first pick after a change, ${endpoints} endpoints`,
      run: () => new EndpointPicker(state, Math.random).pick(nearby, 80, caller(), 'standard'),
    },
  ];
}

export function benches(): readonly MicroBench[] {
  return [3, 100, 5000].flatMap(picks);
}
