import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupOfWaypoint } from '../../../src/local/waypoint-pods.ts';
import { type WaypointGatewayFields, waypointGateway } from '../../helpers/waypoint-gateway.ts';

const PROGRAM = {
  ambit: ['ambit'],
  controlAddress: 'https://127.0.0.1:15012',
  controlHostname: 'istiod',
  controlRootCa: '/root.pem',
  clusterId: 'Kubernetes',
  ipv6: true,
  tokenFile: (namespace: string, name: string) => `/${namespace}/${name}`,
};

function groupFor(fields: WaypointGatewayFields) {
  return groupOfWaypoint(waypointGateway(fields), PROGRAM, '/') ?? assert.fail();
}

describe('the pod of a waypoint on one machine', () => {
  it('has the labels and annotations of spec.infrastructure, and is another one when they change', () => {
    const group = groupFor({ infrastructure: { labels: { team: 'shop' }, annotations: { note: 'mind' } } });
    assert.equal(group.labels.get('team'), 'shop');
    assert.deepEqual([...group.annotations], [['note', 'mind']]);
    assert.notEqual(group.hash, groupFor({}).hash);
  });

  it('names clients to endpoints when the Gateway asks for it', () => {
    const annotations = { 'ambient.istio.io/xfcc-include-client-identity': 'true' };
    const told = (fields: WaypointGatewayFields) =>
      groupFor(fields).spec.containers[0]?.env.get('XFCC_INCLUDE_CLIENT_IDENTITY');
    assert.deepEqual([told({ annotations }), told({})], ['true', 'false']);
  });

  it('is not made for other gateways', () => {
    assert.equal(groupOfWaypoint(waypointGateway({ className: 'istio' }), PROGRAM, '/'), undefined);
  });
});
