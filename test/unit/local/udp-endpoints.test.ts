import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodStatusView } from '../../../src/local/pod-manifest.ts';
import { groupOfPod } from '../../../src/local/pod-plan.ts';
import { udpEndpoints } from '../../../src/local/udp-endpoints.ts';
import { canonicalIp } from '../../../src/model/address.ts';
import { parseManifest } from '../../../src/model/manifest/parse-manifest.ts';

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: { name: time, namespace: demo }
spec:
  selector: { app: time }
  ports: [{ name: a, port: 123, targetPort: ntp, protocol: UDP }, { name: b, port: 80 }]
---
apiVersion: v1
kind: Pod
metadata: { name: time, namespace: demo, labels: { app: time } }
spec:
  containers: [{ name: main, image: none, ports: [{ name: ntp, containerPort: 1123, protocol: UDP }] }]
`;

function endpoints(ready: boolean) {
  const [service, pod] = parseManifest(MANIFEST, 'a.yaml').objects.map(({ object }) => object);
  assert.ok(service?.kind === 'Service' && pod?.kind === 'Pod');
  const view: PodStatusView = {
    group: groupOfPod(pod, '/'),
    name: 'time',
    uid: 'u',
    node: 'node1',
    nodeIp: '10.240.0.11',
    podIps: ['10.244.1.2', 'fd00:244:1::2'],
    phase: 'Running',
    ready,
    enrolled: false,
    deleting: false,
    createdMs: 0,
  };
  const vips = [canonicalIp('10.96.0.5')];
  return udpEndpoints([service], [view], (host) => (host === 'time.demo.svc.cluster.local' ? vips : []));
}

describe('udpEndpoints', () => {
  it('finds the ready pods of UDP ports, by the name of their port and in the family of the address', () => {
    const targets = [{ address: '10.244.1.2', port: 1123 }];
    assert.deepEqual(endpoints(true), [{ protocol: 'udp', vip: '10.96.0.5', port: 123, targets }]);
  });

  it('leaves out pods that are not ready', () => assert.deepEqual(endpoints(false)[0]?.targets, []));
});
