import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWorkload } from '../../../src/model/workload.ts';
import { formatBaggage, OwnBaggage, parseBaggage } from '../../../src/telemetry/baggage.ts';
import { formatForwarded, forwardedHost } from '../../../src/telemetry/forwarded.ts';
import { workloadPeer } from '../../../src/telemetry/traffic-labels.ts';

const WORKLOAD = createWorkload({
  uid: 'u',
  namespace: 'shop',
  clusterId: 'c1',
  workloadType: 'deployment',
  workloadName: 'web',
  canonicalName: 'web-app',
  canonicalRevision: 'v2',
  locality: { region: 'r', zone: 'z', subzone: '' },
});

describe('baggage', () => {
  it('names the workload in the order of the real peers', () => {
    assert.equal(
      formatBaggage(WORKLOAD),
      'k8s.cluster.name=c1,k8s.namespace.name=shop,k8s.deployment.name=web,service.name=web-app,service.version=v2,cloud.region=r,cloud.availability_zone=z',
    );
    assert.equal(formatBaggage(createWorkload({ uid: 'u', clusterId: '' })), '');
  });

  it('is that of the workload as it is now, where it is kept', () => {
    const own = new OwnBaggage();
    assert.equal(own.of(WORKLOAD), formatBaggage(WORKLOAD));
    assert.equal(own.of(WORKLOAD), formatBaggage(WORKLOAD));
    const moved = { ...WORKLOAD, canonicalRevision: 'v3' };
    assert.equal(own.of(moved), formatBaggage(moved));
  });

  it('says the same to the receiver', () => {
    assert.deepEqual(parseBaggage(formatBaggage(WORKLOAD)), workloadPeer(WORKLOAD));
  });

  it('is understood with any of the four kinds, with spaces and with properties', () => {
    for (const kind of ['deployment', 'cronjob', 'pod', 'job']) {
      assert.equal(parseBaggage(` k8s.${kind}.name = web ;x=y , other=1`).workload, 'web');
    }
  });
});

describe('forwarded', () => {
  it('holds the client and, for services, the host', () => {
    assert.equal(formatForwarded('10.0.0.1', 80, undefined), 'for="10.0.0.1:80"');
    assert.equal(formatForwarded('fd00::1', 80, 'a.b'), 'for="[fd00::1]:80";host=a.b');
  });
  it('gives its host back', () => {
    assert.equal(forwardedHost('for="10.0.0.1:80";host=a.b'), 'a.b');
    assert.equal(forwardedHost('For=x; Host="a.b", for=y;host=c'), 'a.b');
    for (const none of ['', 'for=x', 'host=', `host=${'a'.repeat(256)}`, 'for=x, host=y']) {
      assert.equal(forwardedHost(none), undefined);
    }
  });
});
