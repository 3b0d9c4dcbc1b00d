import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildWaypointPolicy } from '../../../../src/control/l7/waypoint-policy.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../../src/control/mesh-options.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';

function built(spec: object, namespace = 'shop', mesh = DEFAULT_MESH_OPTIONS) {
  const object = {
    apiVersion: 'security.istio.io/v1beta1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace, annotations: { 'istio.io/dry-run': 'true' } },
    spec,
  };
  const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'AuthorizationPolicy', JSON.stringify(reading));
  return buildWaypointPolicy(reading.object, mesh);
}

const GATEWAY = 'gateway.networking.k8s.io';

describe('a policy for waypoints', () => {
  it('names what it is attached to, in its own namespace', () => {
    const targetRefs = [
      { group: '', kind: 'Service', name: 'cart' },
      { group: GATEWAY, kind: 'Gateway', name: 'gate' },
      { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'bank' },
    ];
    assert.deepEqual(built({ targetRefs })?.targets, [
      'Service/shop/cart',
      'Gateway/shop/gate',
      'ServiceEntry/shop/bank',
    ]);
  });

  it('speaks for a class of gateways only from the root namespace', () => {
    const targetRefs = [{ group: GATEWAY, kind: 'GatewayClass', name: 'istio-waypoint' }];
    assert.deepEqual(built({ targetRefs })?.targets, []);
    assert.deepEqual(built({ targetRefs }, 'istio-system')?.targets, ['GatewayClass/istio-waypoint']);
  });

  it('is every one of the root namespace that selects nothing, and no other without targets', () => {
    assert.deepEqual(built({}, 'istio-system')?.targets, ['Mesh']);
    assert.equal(built({}), undefined);
    assert.equal(built({ selector: { matchLabels: { a: 'b' } } }, 'istio-system'), undefined);
  });

  it('is none of the root namespace that selects nothing where waypoints are left to themselves, as in Istio', () => {
    const mesh = { ...DEFAULT_MESH_OPTIONS, rootPolicies: 'ztunnel' as const };
    assert.equal(built({}, 'istio-system', mesh), undefined);
    const targetRefs = [{ group: GATEWAY, kind: 'GatewayClass', name: 'istio-waypoint' }];
    assert.deepEqual(built({ targetRefs }, 'istio-system', mesh)?.targets, ['GatewayClass/istio-waypoint']);
  });

  it('carries the object as it was written', () => {
    const spec = { targetRefs: [{ kind: 'Service', name: 'cart' }], action: 'DENY', rules: [{}] };
    const manifest = JSON.parse(Buffer.from(built(spec)?.manifest ?? []).toString());
    assert.deepEqual([manifest.spec, manifest.metadata.annotations], [spec, { 'istio.io/dry-run': 'true' }]);
  });

  it('may say which tokens requests carry', () => {
    const object = {
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: { name: 'r', namespace: 'istio-system' },
      spec: { jwtRules: [{ issuer: 'a' }] },
    };
    const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
    assert.ok(reading.kind === 'accepted' && reading.object.kind === 'RequestAuthentication');
    const policy = buildWaypointPolicy(reading.object, DEFAULT_MESH_OPTIONS);
    assert.deepEqual([policy?.kind, policy?.targets], ['RequestAuthentication', ['Mesh']]);
    assert.deepEqual(JSON.parse(Buffer.from(policy?.manifest ?? []).toString()).kind, 'RequestAuthentication');
  });
});
