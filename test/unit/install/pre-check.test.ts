import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { findingsText } from '../../../src/cli/roles/check.ts';
import { preCheck } from '../../../src/install/pre-check.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  NAMESPACES,
  NODES,
} from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

const NS = 'istio-system';
const nodeInfo = { operatingSystem: 'linux', architecture: 'amd64' };
const ready = [{ type: 'Ready', status: 'True' }];

describe('the check before an installation', () => {
  let api: FakeKubeApi;
  let client: KubeClient;

  before(async () => {
    api = await FakeKubeApi.start();
    for (const kind of [CUSTOM_RESOURCE_DEFINITIONS, CLUSTER_ROLE_BINDINGS]) api.serve(kind);
    client = new KubeClient(api.config, { clock: systemClock });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  async function findingOf(group: string) {
    const findings = await preCheck(client, NS);
    return findings.filter((finding) => finding.group === group);
  }

  it('tells nodes that cannot run the image, and those that are not ready', async () => {
    api.put(NODES, { metadata: { name: 'good' }, status: { nodeInfo, conditions: ready } });
    assert.deepEqual(
      (await findingOf('Nodes')).map(({ level }) => level),
      ['ok'],
    );
    api.put(NODES, { metadata: { name: 'odd' }, status: { nodeInfo: { ...nodeInfo, architecture: 's390x' } } });
    api.put(NODES, { metadata: { name: 'win' }, status: { nodeInfo: { operatingSystem: 'windows' } } });
    api.put(NODES, {
      metadata: { name: 'down' },
      status: { nodeInfo, conditions: [{ type: 'Ready', status: 'False', message: 'no network' }] },
    });
    assert.deepEqual((await findingOf('Nodes')).map(({ level, text }) => `${level} ${text}`).sort(), [
      'error node odd is s390x',
      'warning node down is not ready: no network',
      'warning node win runs windows',
    ]);
  });

  it('tells a namespace that refuses privileged pods, with the command that mends it', async () => {
    api.put(NAMESPACES, { metadata: { name: NS, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } });
    const [finding] = await findingOf('Namespace');
    assert.equal(finding?.level, 'error');
    assert.match(finding?.hint ?? '', /kubectl label namespace istio-system .*enforce=privileged/);
  });

  it('tells another mesh, and not one of its own', async () => {
    assert.deepEqual(
      (await findingOf('Other meshes')).map(({ level }) => level),
      ['ok'],
    );
    const labels = { 'app.kubernetes.io/part-of': 'ambit' };
    api.put(DAEMON_SETS, { metadata: { name: 'ztunnel', namespace: NS, labels } });
    assert.deepEqual(
      (await findingOf('Other meshes')).map(({ level }) => level),
      ['ok'],
    );
    api.put(DAEMON_SETS, { metadata: { name: 'istio-cni-node', namespace: 'kube-system' } });
    assert.match((await findingOf('Other meshes'))[0]?.text ?? '', /DaemonSet kube-system\/istio-cni-node/);
  });

  it('names the rights that are missing', async () => {
    const text = async () => (await findingOf('Rights')).map((finding) => `${finding.level} ${finding.text}`).join();
    assert.equal(await text(), 'ok this account may install and uninstall');
    api.allows = ({ verb, resource }) => resource !== 'poddisruptionbudgets' && verb !== 'delete';
    const lacking = await text();
    assert.match(
      lacking,
      /^error this account may not .*get, create, patch, delete, list poddisruptionbudgets\.policy in/,
    );
    assert.match(lacking, /delete namespaces;.*delete clusterroles\.rbac.*delete configmaps/);
    api.allows = ({ verb, resource }) => verb !== 'bind' && resource !== 'leases';
    assert.match(await text(), /may not create, get, update leases\.coordination\.k8s\.io in istio-system$/);
    api.allows = ({ verb, subresource }) => ['escalate', 'bind'].includes(verb ?? '') || subresource !== 'status';
    assert.match(await text(), /^ok/);
    api.allows = () => true;
  });

  it('does not take silence for an answer', async () => {
    api.refuse = (_method, path) => (/deployments|configmaps|accessreviews/.test(path) ? 403 : undefined);
    const findings = [...(await findingOf('Rights')), ...(await findingOf('Other meshes'))];
    api.refuse = () => undefined;
    assert.equal(findings.length, 3);
    for (const { level, text } of findings) assert.match(`${level} ${text}`, /^warning unknown: .*403/);
  });

  it('tells an installation in another namespace, and a namespace that is being deleted', async () => {
    const labels = { 'app.kubernetes.io/part-of': 'ambit' };
    api.put(CONFIG_MAPS, { metadata: { name: 'ambit-install', namespace: 'mesh', labels } });
    const texts = (await findingOf('Other meshes')).map(({ text, hint }) => `${text}: ${hint}`).join();
    assert.match(texts, /ambit is installed in namespace mesh: a cluster takes one: ambit upgrade -n mesh/);
    api.remove(CONFIG_MAPS, 'mesh', 'ambit-install');
    api.put(NAMESPACES, { metadata: { name: NS, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    assert.match((await findingOf('Namespace'))[0]?.text ?? '', /istio-system is being deleted/);
    api.put(NAMESPACES, { metadata: { name: NS } });
  });

  it('says one thing only when the API server does not answer', async () => {
    api.refuse = () => 401;
    const findings = await preCheck(client, NS);
    api.refuse = () => undefined;
    assert.deepEqual(
      findings.map(({ group, level }) => `${group} ${level}`),
      ['Kubernetes API error'],
    );
  });

  it('is printed in groups, with marks, and with colors where they are wanted', () => {
    const findings = [
      { group: 'A', level: 'ok', text: 'fine', hint: '' },
      { group: 'A', level: 'warning', text: 'so so', hint: 'do this' },
      { group: 'B', level: 'error', text: 'bad', hint: 'do that' },
    ] as const;
    assert.equal(findingsText(findings, false), 'A\n  ✓ fine\n  ‼ so so\n      do this\nB\n  ✗ bad\n      do that\n');
    assert.ok(findingsText(findings, true).includes('\u001b[31m✗'));
  });
});
