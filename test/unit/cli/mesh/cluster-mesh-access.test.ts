import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { ClusterMeshAccess } from '../../../../src/cli/mesh/cluster-mesh-access.ts';
import { KubeClient } from '../../../../src/kube/kube-client.ts';
import { PODS } from '../../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../../helpers/fake-kube-api.ts';

const WAYPOINT = {
  'gateway.networking.k8s.io/gateway-name': 'waypoint',
  'gateway.istio.io/managed': 'istio.io-mesh-controller',
};

describe('the mesh of a cluster', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
    const pod = (namespace: string, name: string, labels: Record<string, string>) =>
      api.put(PODS, { metadata: { namespace, name, labels }, status: { podIP: '10.0.0.1' } });
    for (const namespace of ['mesh', 'evil']) {
      pod(namespace, 'istiod', { app: 'istiod' });
      pod(namespace, 'ztunnel', { app: 'ztunnel' });
      pod(namespace, 'waypoint', WAYPOINT);
    }
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  it('has control planes and ztunnels in its own namespace alone, whatever pods elsewhere say, and waypoints anywhere', async () => {
    const proxies = await new ClusterMeshAccess(client, api.config, 'mesh').proxies();
    assert.deepEqual(proxies.map(({ role, namespace }) => `${role} ${namespace}`).sort(), [
      'control mesh',
      'waypoint evil',
      'waypoint mesh',
      'ztunnel mesh',
    ]);
  });

  it('knows of an agent whether it is ready, how often it was started again, and how it ended last', async () => {
    const labels = { 'app.kubernetes.io/name': 'ambit-agent' };
    const terminated = { exitCode: 137, signal: 9, reason: 'OOMKilled', finishedAt: '2026-01-02T03:04:05Z' };
    api.put(PODS, {
      metadata: { namespace: 'mesh', name: 'agent', labels },
      spec: { nodeName: 'node1' },
      status: {
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [{ restartCount: 4, state: { waiting: {} }, lastState: { terminated } }],
      },
    });
    api.put(PODS, { metadata: { namespace: 'evil', name: 'agent', labels } });
    assert.deepEqual(await new ClusterMeshAccess(client, api.config, 'mesh').agents(), [
      {
        namespace: 'mesh',
        name: 'agent',
        node: 'node1',
        ready: false,
        restarts: 4,
        lastExit: 'signal 9, OOMKilled',
        lastExitMs: Date.parse('2026-01-02T03:04:05Z'),
      },
    ]);
  });
});
