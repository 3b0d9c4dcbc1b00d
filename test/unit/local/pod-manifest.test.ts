import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PodStatusView, podManifest } from '../../../src/local/pod-manifest.ts';
import { groupOfDeployment } from '../../../src/local/pod-plan.ts';
import { parseManifest } from '../../../src/model/manifest/parse-manifest.ts';
import type { PodObject } from '../../../src/model/manifest/pod.ts';

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'demo' },
  spec: {
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        serviceAccountName: 'web',
        containers: [{ name: 'main', image: 'none', ports: [{ name: 'http', containerPort: 80 }] }],
      },
    },
  },
};

function written(fields: Partial<PodStatusView>): PodObject {
  const [deployment] = parseManifest(JSON.stringify(DEPLOYMENT), 'a.yaml').objects;
  assert.ok(deployment?.object.kind === 'Deployment');
  const view: PodStatusView = {
    group: groupOfDeployment(deployment.object, '/'),
    name: 'web-1',
    uid: 'u',
    node: 'node1',
    nodeIp: '10.240.0.11',
    podIps: ['10.244.1.2', 'fd00:244:1::2'],
    phase: 'Running',
    ready: true,
    enrolled: true,
    deleting: false,
    createdMs: 0,
    ...fields,
  };
  const { objects, problems } = parseManifest(JSON.stringify(podManifest(view)), 'b.json');
  assert.deepEqual(problems, []);
  const [pod] = objects;
  assert.ok(pod?.object.kind === 'Pod');
  return pod.object;
}

describe('podManifest', () => {
  it('is read back as the pod that runs', () => {
    const pod = written({});
    assert.deepEqual(pod.status, { phase: 'Running', addresses: ['10.244.1.2', 'fd00:244:1::2'], ready: true });
    assert.equal(pod.spec.nodeName, 'node1');
    assert.equal(pod.spec.serviceAccount, 'web');
    assert.deepEqual(pod.spec.containers[0]?.ports, [{ name: 'http', port: 80, protocol: 'TCP' }]);
    assert.deepEqual(pod.meta.owners[0]?.kind, 'ReplicaSet');
  });

  it('carries the redirection annotation exactly while the pod is in the mesh', () => {
    assert.equal(written({}).meta.annotations.get('ambient.istio.io/redirection'), 'enabled');
    assert.equal(written({ enrolled: false }).meta.annotations.has('ambient.istio.io/redirection'), false);
  });

  it('says that a pod is going', () => assert.equal(written({ deleting: true }).meta.deleting, true));
});
