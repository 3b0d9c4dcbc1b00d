import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAuthority } from '../../../src/hbone/authority.ts';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createService } from '../../../src/model/service.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import { findConnectTarget } from '../../../src/waypoint/connect-target.ts';

const ip = (text: string) => text as IpAddress;
const WAYPOINT = 'waypoint.shop.svc.cluster.local';
const waypoint = {
  destination: { kind: 'hostname' as const, hostname: { namespace: 'shop', hostname: WAYPOINT } },
  hboneMtlsPort: 15008,
};
const self = createWorkload({
  uid: 'Kubernetes//Pod/shop/waypoint-1',
  namespace: 'shop',
  addresses: [ip('10.0.0.9')],
  services: new Map([[`shop/${WAYPOINT}`, new Map([[15008, 15008]])]]),
});
const vip = (address: string) => [{ network: '', address: ip(address) }];

function meshState(): MeshState {
  const state = new MeshState();
  const bound = { namespace: 'shop', hostname: 'cart.shop.svc.cluster.local', waypoint };
  const other = { namespace: 'shop', hostname: 'free.shop.svc.cluster.local' };
  const ports = new Map([[80, 8080]]);
  state.apply([
    { kind: 'workload', workload: self },
    { kind: 'service', service: createService({ namespace: 'shop', hostname: WAYPOINT, vips: vip('10.96.0.9') }) },
    { kind: 'service', service: createService({ ...bound, ports, vips: vip('10.96.0.1') }) },
    { kind: 'service', service: createService({ ...other, ports, vips: vip('10.96.0.2') }) },
    { kind: 'workload', workload: createWorkload({ uid: 'bound', addresses: [ip('10.0.0.1')], waypoint }) },
    { kind: 'workload', workload: createWorkload({ uid: 'free', addresses: [ip('10.0.0.2')] }) },
  ]);
  return state;
}

function find(text: string) {
  const authority = parseAuthority(text);
  assert.ok(authority !== undefined);
  const found = findConnectTarget(meshState(), self, authority);
  if (!found.ok) return `${found.error.code}: ${found.error.message}`;
  const { value } = found;
  return value.kind === 'service' ? `${value.service.hostname}:${value.port}` : `${value.workload.uid}:${value.port}`;
}

describe('a CONNECT request to a waypoint', () => {
  it('is for a service that names the waypoint, by address or by name', () => {
    assert.equal(find('10.96.0.1:80'), 'cart.shop.svc.cluster.local:80');
    assert.equal(find('cart.shop.svc.cluster.local:80'), 'cart.shop.svc.cluster.local:80');
  });

  it('is for a workload that names the waypoint, on any port', () => {
    assert.equal(find('10.0.0.1:4711'), 'bound:4711');
  });

  it('is refused for what does not name the waypoint', () => {
    for (const text of ['10.96.0.2:80', '10.0.0.2:80', '10.9.9.9:80', 'free.shop.svc.cluster.local:80']) {
      assert.equal(find(text), `IP_MISMATCH: ${text} is not bound to this waypoint`);
    }
    assert.match(find('nobody.example:80'), /^UNKNOWN_HOSTNAME/);
  });

  it('is refused for a port that the service does not have', () => {
    assert.match(find('10.96.0.1:81'), /^NO_SERVICE_PORT: requested service .* has no port 81$/);
  });
});
