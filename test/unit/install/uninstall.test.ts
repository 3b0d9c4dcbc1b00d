import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { installationCrds } from '../../../src/install/crds.ts';
import { requireRoomFor } from '../../../src/install/find-installations.ts';
import { OWNED_KINDS } from '../../../src/install/install-kinds.ts';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { Installer } from '../../../src/install/installer.ts';
import { renderInstall } from '../../../src/install/render-install.ts';
import { storedValuesObject } from '../../../src/install/stored-values.ts';
import { type UninstallOptions, uninstall } from '../../../src/install/uninstall.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  NAMESPACES,
  PODS,
  SECRETS,
} from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

const NS = 'istio-system';
const ENABLED = { 'ambient.istio.io/redirection': 'enabled' };

describe('uninstalling', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let lines: string[] = [];
  const apis: FakeKubeApi[] = [];
  const report = (line: string) => void lines.push(line);

  beforeEach(async () => {
    lines = [];
    api = await FakeKubeApi.start();
    apis.push(api);
    for (const kind of [...OWNED_KINDS, NAMESPACES, CUSTOM_RESOURCE_DEFINITIONS]) api.serve(kind);
    client = new KubeClient(api.config, { clock: systemClock });
  });
  afterEach(() => client.close());
  after(async () => {
    for (const one of apis) await one.stop();
  });

  async function install(namespace: string): Promise<void> {
    const installer = new Installer({ namespace, isShared: false }, { client, report });
    const objects = renderInstall(parseInstallValues({}), namespace);
    await installer.apply([...installationCrds(), ...objects, storedValuesObject(namespace, {})]);
    lines = [];
  }

  function run(options: Partial<UninstallOptions> = {}): Promise<void> {
    const defaults = { namespace: NS, purge: false, force: false, timeoutMs: 0 };
    return uninstall({ ...defaults, ...options }, { client, clock: systemClock, report });
  }

  function putAgent(node: string): void {
    const labels = { 'app.kubernetes.io/name': 'ambit-agent' };
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    api.put(PODS, { metadata: { name: `agent-${node}`, namespace: NS, labels }, spec: { nodeName: node }, status });
  }

  function putCaptured(name: string, node: string, phase = 'Running'): void {
    const metadata = { name, namespace: 'shop', annotations: ENABLED };
    api.put(PODS, { metadata, spec: { nodeName: node }, status: { phase } });
  }

  /** What the kubelet and the agent do when the DaemonSet is deleted. */
  function onAgentDeleted(act: () => void): void {
    const before = api.refuse;
    api.refuse = (method, path) => {
      if (method === 'DELETE' && path.endsWith('/daemonsets/ambit-agent')) act();
      return before(method, path);
    };
  }

  it('takes away all of the installation, its stored values last', async () => {
    await install(NS);
    await run();
    const left = OWNED_KINDS.flatMap((kind) => api.objects(kind)).map(({ metadata }) => metadata.name);
    assert.deepEqual(left, []);
    assert.equal(lines.at(-2), 'configmap/ambit-install deleted');
    assert.ok(api.get(NAMESPACES, '', NS));
  });

  it('refuses another namespace, names the right one, and leaves everything', async () => {
    await install(NS);
    api.put(NAMESPACES, { metadata: { name: 'shop' } });
    for (const namespace of ['shop', 'nowhere']) {
      await assert.rejects(run({ namespace, purge: true }), {
        code: 'NOT_INSTALLED',
        message: /ambit is installed in namespace istio-system; .*ambit uninstall -n istio-system/,
      });
    }
    assert.equal(
      api.requests.some((request) => request.startsWith('DELETE')),
      false,
    );
  });

  it('points to Helm where ambit install did not make the installation', async () => {
    await install(NS);
    api.remove(CONFIG_MAPS, NS, 'ambit-install');
    await assert.rejects(run(), { code: 'NOT_INSTALLED', message: /by Helm or kubectl; helm uninstall/ });
  });

  it('leaves a second installation all that is its own', async () => {
    await install('first');
    await install('second');
    putCaptured('web', 'node-a');
    await run({ namespace: 'first', purge: true });
    assert.ok(api.get(CLUSTER_ROLE_BINDINGS, '', 'ambit-control'));
    assert.ok(api.get(DAEMON_SETS, 'second', 'ztunnel'));
    assert.equal(api.objects(CUSTOM_RESOURCE_DEFINITIONS).length, installationCrds().length);
    assert.equal(api.get(DAEMON_SETS, 'first', 'ztunnel'), undefined);
    assert.equal(api.get(NAMESPACES, '', 'first'), undefined);
  });

  it('purges CRDs, the root key and the namespace, also after it was run without', async () => {
    await install(NS);
    api.put(SECRETS, { metadata: { name: 'istio-ca-secret', namespace: NS } });
    api.put(CUSTOM_RESOURCE_DEFINITIONS, { metadata: { name: 'gateways.gateway.networking.k8s.io' } });
    await run();
    await run({ purge: true });
    assert.deepEqual(
      api.objects(CUSTOM_RESOURCE_DEFINITIONS).map(({ metadata }) => metadata.name),
      ['gateways.gateway.networking.k8s.io'],
    );
    assert.equal(api.get(SECRETS, NS, 'istio-ca-secret'), undefined);
    assert.equal(api.get(NAMESPACES, '', NS), undefined);
    await run({ purge: true });
    assert.equal(lines.at(-1), 'nothing to do: there is no namespace istio-system');
  });

  it('waits for a namespace that goes, and says what holds it', async () => {
    await install(NS);
    const conditions = [
      { type: 'NamespaceContentRemaining', status: 'True', message: 'pods has 1 resource instances' },
    ];
    api.put(NAMESPACES, {
      metadata: { ...api.get(NAMESPACES, '', NS)?.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      status: { phase: 'Terminating', conditions },
    });
    await assert.rejects(run({ purge: true }), {
      code: 'NAMESPACE_TERMINATING',
      message: /still being deleted: pods has 1 resource instances/,
    });
    await assert.rejects(requireRoomFor(client, NS), { code: 'NAMESPACE_TERMINATING' });
    const done = run({ purge: true, timeoutMs: 10_000 });
    setTimeout(() => api.remove(NAMESPACES, '', NS), 200);
    await done;
  });

  it('stops before it deletes an agent when a node with captured pods has none', async () => {
    await install(NS);
    putAgent('node-a');
    putCaptured('web', 'node-a');
    putCaptured('cart', 'node-b');
    putCaptured('job', 'node-b', 'Succeeded');
    await assert.rejects(run(), { code: 'AGENT_AWAY', message: /: shop\/cart on node-b\. Nothing is deleted/ });
    assert.ok(api.get(DAEMON_SETS, NS, 'ambit-agent'));
    assert.ok(api.get(DAEMON_SETS, NS, 'ztunnel'));
  });

  it('keeps ztunnel while pods stay captured after their agent was killed, and goes on when told to', async () => {
    await install(NS);
    putAgent('node-a');
    putCaptured('web', 'node-a');
    onAgentDeleted(() => api.remove(PODS, NS, 'agent-node-a'));
    await assert.rejects(run(), {
      code: 'PODS_CAPTURED',
      message: /shop\/web on node-a\. .*ambit upgrade -n istio-system --wait/,
    });
    assert.ok(api.get(DAEMON_SETS, NS, 'ztunnel'));
    assert.ok(api.get(CONFIG_MAPS, NS, 'ambit-install'));
    await run({ force: true });
    assert.equal(api.get(DAEMON_SETS, NS, 'ztunnel'), undefined);
  });

  it('goes on without an agent that does not end, when told to', async () => {
    await install(NS);
    putAgent('node-a');
    await assert.rejects(run(), { code: 'PODS_REMAIN', message: /agent-node-a/ });
    await run({ force: true });
    assert.equal(api.get(DAEMON_SETS, NS, 'ztunnel'), undefined);
  });

  it('leaves roots and stored values until the control plane has ended, which would write them back', async () => {
    await install(NS);
    const labels = { 'app.kubernetes.io/name': 'ambit-control' };
    api.put(PODS, { metadata: { name: 'control-0', namespace: NS, labels } });
    const root = { name: 'istio-ca-root-cert', namespace: 'shop', labels: { 'istio.io/config': 'true' } };
    api.put(CONFIG_MAPS, { metadata: root });
    await assert.rejects(run(), { code: 'PODS_REMAIN', message: /control-0/ });
    assert.ok(api.get(CONFIG_MAPS, 'shop', 'istio-ca-root-cert'));
    const done = run({ timeoutMs: 10_000 });
    setTimeout(() => api.remove(PODS, NS, 'control-0'), 200);
    await done;
    assert.deepEqual(api.objects(CONFIG_MAPS), []);
  });

  it('goes on when the agents gave all pods back', async () => {
    await install(NS);
    putAgent('node-a');
    putCaptured('web', 'node-a');
    onAgentDeleted(() => {
      api.remove(PODS, NS, 'agent-node-a');
      api.put(PODS, { metadata: { name: 'web', namespace: 'shop' }, spec: { nodeName: 'node-a' } });
    });
    await run();
    assert.equal(api.get(DAEMON_SETS, NS, 'ztunnel'), undefined);
  });

  it('lets nothing be installed beside an installation, in its place it may', async () => {
    await requireRoomFor(client, NS);
    await install(NS);
    await requireRoomFor(client, NS);
    await assert.rejects(requireRoomFor(client, 'mesh'), {
      code: 'INSTALLED_ELSEWHERE',
      message: /installed in namespace istio-system; a cluster takes one: ambit upgrade -n istio-system/,
    });
    api.remove(CONFIG_MAPS, NS, 'ambit-install');
    await assert.rejects(requireRoomFor(client, 'mesh'), { message: /in namespace istio-system, by Helm or kubectl/ });
    api.remove(NAMESPACES, '', NS);
    await requireRoomFor(client, 'mesh');
  });
});
