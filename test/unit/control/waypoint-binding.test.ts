import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { bindWaypoint, type WaypointTraffic } from '../../../src/control/waypoint-binding.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { waypointGatewayManifest } from '../../helpers/waypoint-gateway.ts';

/** Whether a waypoint takes a kind of traffic, by its own label and that of its class. */
function takes(traffic: WaypointTraffic, own: string | undefined, ofClass: string | undefined): boolean {
  const labels = (value: string | undefined) => (value === undefined ? {} : { 'istio.io/waypoint-for': value });
  const gateway = waypointGatewayManifest();
  const manifests = [
    { ...gateway, metadata: { ...gateway.metadata, labels: labels(own) } },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'istio-waypoint', labels: labels(ofClass) },
      spec: { controllerName: 'istio.io/mesh-controller' },
    },
  ];
  const store = new ObjectStore();
  for (const manifest of manifests) {
    const reading = readObject(manifest, () => ({ file: '', line: 1, column: 1 }));
    assert.ok(reading.kind === 'accepted');
    store.apply([reading.object], []);
  }
  const meta = {
    name: 'web',
    namespace: 'demo',
    uid: '',
    labels: new Map([['istio.io/use-waypoint', 'gate']]),
    annotations: new Map<string, string>(),
    createdMs: undefined,
    deleting: false,
    owners: [],
  };
  return bindWaypoint(store, DEFAULT_MESH_OPTIONS, meta, meta.labels, traffic).waypoint !== undefined;
}

describe('the traffic that a waypoint takes', () => {
  it('is that of services by default', () => {
    assert.equal(takes('service', undefined, undefined), true);
    assert.equal(takes('workload', undefined, undefined), false);
  });

  it('is what its class says, unless it says itself', () => {
    assert.equal(takes('service', undefined, 'workload'), false);
    assert.equal(takes('workload', undefined, 'all'), true);
    assert.equal(takes('workload', 'service', 'all'), false);
  });
});
