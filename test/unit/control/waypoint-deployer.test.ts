import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { WaypointDeployer } from '../../../src/control/waypoint-deployer.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  GATEWAYS,
  HORIZONTAL_POD_AUTOSCALERS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../../src/kube/resource-kind.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import type { ManifestObject } from '../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { pod } from '../../helpers/manifests.ts';
import {
  type WaypointGatewayFields,
  waypointGateway,
  waypointGatewayManifest,
} from '../../helpers/waypoint-gateway.ts';

const RUNTIME = {
  image: 'ambit:1',
  imagePullPolicy: 'Never',
  controlAddress: 'https://istiod.istio-system.svc:15012',
  clusterId: 'Kubernetes',
  network: '',
};
const HPA = 'spec: {minReplicas: 2, maxReplicas: 4}';
const PARAMETERS = { parametersRef: { group: '', kind: 'ConfigMap', name: 'settings' } };
const GATE_LABEL = { 'gateway.networking.k8s.io/gateway-name': 'gate' };

describe('the deployer of waypoints', { timeout: 60_000 }, () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let store: ObjectStore;
  let deployer: WaypointDeployer;
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
    client = new KubeClient(api.config, { clock: systemClock });
    store = new ObjectStore();
    deployer = new WaypointDeployer(RUNTIME, {
      client,
      clock: systemClock,
      logger: silentLogger,
      random: Math.random,
      store,
      namespace: 'istio-system',
      revision: 'default',
      mesh: () => DEFAULT_MESH_OPTIONS,
      onMesh: () => () => undefined,
    });
  });
  afterEach(async () => {
    await deployer.stop();
    client.close();
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  /** As the watch of Gateways would. */
  function putGateway(fields: WaypointGatewayFields = {}): void {
    api.put(GATEWAYS, waypointGatewayManifest(fields) as Parameters<FakeKubeApi['put']>[1]);
    store.apply([waypointGateway(fields)], []);
  }

  function putPod(name: string): void {
    const reading = readObject(pod({ name, labels: GATE_LABEL }), () => ({ file: '', line: 1, column: 1 }));
    assert.ok(reading.kind === 'accepted');
    store.apply([reading.object as ManifestObject], []);
  }

  function putSettings(data: Readonly<Record<string, string>>): void {
    api.put(CONFIG_MAPS, { metadata: { name: 'settings', namespace: 'demo' }, data });
  }

  function condition(type: string): string {
    const status = api.get(GATEWAYS, 'demo', 'gate')?.['status'] as
      | { conditions?: { type: string; status: string; reason: string; message: string }[] }
      | undefined;
    const found = status?.conditions?.find((one) => one.type === type);
    return found === undefined ? '' : `${found.status} ${found.reason} ${found.message}`;
  }

  const applied = () => api.requests.filter((request) => /^PATCH .*gate\?/.test(request)).length;
  const asksForGateway = () => api.requests.filter((request) => /^GET .*\/gateways\/gate$/.test(request)).length;
  const deployed = () => eventually('deployed', () => condition('Accepted').startsWith('True Accepted'));

  it('applies each object once, however often the pods of the waypoint change', async () => {
    putGateway();
    deployer.start();
    await deployed();
    const looks = asksForGateway();
    putPod('gate-1');
    await eventually('looked at again', () => asksForGateway() > looks);
    putPod('gate-2');
    await eventually('and again', () => asksForGateway() > looks + 1);
    assert.equal(applied(), 3);
  });

  it('applies an object again when somebody changes or deletes it', async () => {
    putGateway();
    deployer.start();
    await deployed();
    api.remove(SERVICES, 'demo', 'gate');
    await eventually('the Service', () => api.get(SERVICES, 'demo', 'gate') !== undefined);
    const account = api.get(SERVICE_ACCOUNTS, 'demo', 'gate') ?? assert.fail();
    api.put(SERVICE_ACCOUNTS, { ...account, metadata: { ...account.metadata, labels: { ...GATE_LABEL, x: 'y' } } });
    const labels = () => api.get(SERVICE_ACCOUNTS, 'demo', 'gate')?.metadata.labels ?? {};
    await eventually('the label', () => labels()['gateway.istio.io/managed'] !== undefined);
    assert.equal(labels()['x'], 'y', 'what others add stays');
  });

  it('leaves an object alone that belongs to somebody else', async () => {
    api.put(SERVICE_ACCOUNTS, { metadata: { name: 'gate', namespace: 'demo', labels: { of: 'somebody' } } });
    putGateway();
    deployer.start();
    await deployed();
    assert.ok(api.get(DEPLOYMENTS, 'demo', 'gate'));
    assert.deepEqual(api.get(SERVICE_ACCOUNTS, 'demo', 'gate')?.metadata.labels, { of: 'somebody' });
  });

  it('leaves a Gateway of another revision to that one', async () => {
    putGateway({ labels: { 'istio.io/rev': 'next' } });
    deployer.start();
    store.apply([{ ...waypointGateway(), meta: { ...waypointGateway().meta, name: 'own' } }], []);
    await eventually('its own', () => api.get(DEPLOYMENTS, 'demo', 'own') !== undefined);
    assert.equal(api.get(DEPLOYMENTS, 'demo', 'gate'), undefined);
  });

  it('refuses other listeners than one for HBONE, and deploys nothing', async () => {
    putGateway({ listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] });
    deployer.start();
    const text = 'Expected a single listener on port 15008 with protocol "HBONE"';
    await eventually('refused', () => condition('Accepted') === `False UnsupportedProtocol ${text}`);
    assert.match(condition('Programmed'), /^False Invalid /);
    assert.equal(applied(), 0);
  });

  it('makes an autoscaler when an overlay asks for it, and takes it away with the overlay', async () => {
    putSettings({ horizontalPodAutoscaler: HPA });
    putGateway({ infrastructure: PARAMETERS });
    deployer.start();
    await eventually('made', () => api.get(HORIZONTAL_POD_AUTOSCALERS, 'demo', 'gate') !== undefined);
    await deployed();
    putSettings({});
    putPod('gate-1');
    await eventually('gone', () => api.get(HORIZONTAL_POD_AUTOSCALERS, 'demo', 'gate') === undefined);
  });

  it('takes the defaults of the class from the namespace of the control plane, also when they change', async () => {
    const labels = { 'gateway.istio.io/defaults-for-class': 'istio-waypoint' };
    const metadata = { name: 'waypoints', namespace: 'istio-system', labels };
    putGateway();
    deployer.start();
    await deployed();
    api.put(CONFIG_MAPS, { metadata, data: { deployment: 'spec: {replicas: 2}' } });
    const replicas = () =>
      (api.get(DEPLOYMENTS, 'demo', 'gate')?.['spec'] as { replicas?: number } | undefined)?.replicas;
    await eventually('two', () => replicas() === 2);
  });

  it('keeps what was deployed when an overlay is wrong, and says where', async () => {
    putSettings({ deployment: 'spec: {replicas: 2}' });
    putGateway({ infrastructure: PARAMETERS });
    deployer.start();
    await deployed();
    const before = api.get(DEPLOYMENTS, 'demo', 'gate')?.['spec'];
    putSettings({ deployment: 'spec: {template: []}' });
    putPod('gate-1');
    const text = 'ConfigMap demo/settings: deployment: spec.template must be a map, is a list';
    await eventually('refused', () => condition('Accepted') === `False InvalidParameters ${text}`);
    assert.deepEqual(api.get(DEPLOYMENTS, 'demo', 'gate')?.['spec'], before);
    putSettings({ deployment: 'spec: {replicas: 3}' });
    putPod('gate-2');
    await deployed();
  });

  it('says so when the API server refuses an overlay, or the ConfigMap is not there', async () => {
    putGateway({ infrastructure: PARAMETERS });
    deployer.start();
    const missing = 'False InvalidParameters ConfigMap demo/settings does not exist';
    await eventually('not there', () => condition('Accepted') === missing);
    api.refuse = (method, path) => (method === 'PATCH' && path.endsWith('/deployments/gate') ? 422 : undefined);
    putSettings({ deployment: 'spec: {unknown: true}' });
    putPod('gate-1');
    await eventually('refused', () =>
      condition('Accepted').startsWith('False InvalidParameters ConfigMap demo/settings: deployment: the API server'),
    );
  });
});
