import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { ambit, apply, kubectl, kubectlJson, nodeExec, nodeNames, podsReady, until } from '../helpers/cluster.ts';
import {
  assertNoneFailed,
  deleteNamespace,
  type LoadCounts,
  loadCounts,
  loadGoesOn,
  loadObject,
  namespaceObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const LABELLED = 'labelled-before';
const IMAGE = ['--set', 'image.pullPolicy=Never'];

describe('ambit install', () => {
  let before: LoadCounts;
  after(() => deleteNamespace(LABELLED));

  it('is preceded by a check that finds nothing in the way', async () => {
    const { code, stdout } = await ambit(['check', '--pre']);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /✓ Kubernetes v1\./);
  });

  it('brings every part up and waits for it', async () => {
    const [first = '', second = ''] = await nodeNames();
    await apply(
      namespaceObject(LABELLED, { 'istio.io/dataplane-mode': 'ambient' }),
      programsObject(LABELLED),
      ...serverObjects(LABELLED, 'server', { node: second }),
    );
    await podsReady(LABELLED);
    await apply(loadObject(LABELLED, 'client', 'server', { node: first }));
    await podsReady(LABELLED);
    // The first calls may come before kube-proxy knows the server.
    before = await until('load', async () => {
      const counts = await loadCounts(LABELLED, 'client');
      return counts.ok > 100 ? counts : undefined;
    });

    const { code, stdout, stderr } = await ambit(['install', '--wait', '--timeout', '3m', ...IMAGE]);
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(stdout, /daemonset\.apps\/ztunnel (created|configured|unchanged)/);
    assert.match(stdout, /ambit is ready/);
    const pods = await kubectlJson<{ items: { status: { containerStatuses: { restartCount: number }[] } }[] }>([
      'get',
      'pods',
      '-n',
      'istio-system',
    ]);
    const nodes = await nodeNames();
    assert.equal(pods.items.length, 2 + 2 * nodes.length, 'two control planes, one agent and one ztunnel per node');
  });

  it('fails no connection of pods that were labelled before it', async () => {
    const pods = () =>
      kubectlJson<{ items: { metadata: { annotations?: Record<string, string> } }[] }>(['get', 'pods', '-n', LABELLED]);
    await until('redirection', async () =>
      (await pods()).items.every(
        ({ metadata }) => metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled',
      ),
    );
    const counts = await loadGoesOn(LABELLED, 'client', await loadCounts(LABELLED, 'client'), 400);
    assertNoneFailed(counts, before);
    assert.equal(counts.cut - before.cut, 0, counts.errors.join('\n'));
  });

  it('changes nothing when it runs again', async () => {
    const { code, stdout } = await ambit(['install', ...IMAGE]);
    assert.equal(code, 0);
    const changed = stdout.split('\n').filter((line) => / (created|configured|deleted)$/.test(line));
    // The control plane has put its certificate into the webhook; no other object may differ.
    assert.deepEqual(
      changed.filter((line) => !line.startsWith('validatingwebhook')),
      [],
    );
  });

  it('chains the CNI plugin on every node and keeps the plugins before it', async () => {
    for (const node of await nodeNames()) {
      const file = (await nodeExec(node, ['sh', '-c', 'ls /etc/cni/net.d/*.conflist | head -n 1'])).trim();
      const conflist = await until(`the plugin in ${file} of ${node}`, async () => {
        const content = JSON.parse(await nodeExec(node, ['cat', file])) as { plugins: { type: string }[] };
        return content.plugins.at(-1)?.type === 'ambit-cni' ? content : undefined;
      });
      assert.ok(conflist.plugins.length > 1);
      await nodeExec(node, ['test', '-x', '/opt/cni/bin/ambit-cni']);
    }
  });

  it('re-installs the plugin when something overwrites the file', async () => {
    const [node = ''] = await nodeNames();
    const file = (await nodeExec(node, ['sh', '-c', 'ls /etc/cni/net.d/*.conflist | head -n 1'])).trim();
    const content = JSON.parse(await nodeExec(node, ['cat', file])) as { plugins: { type: string }[] };
    const without = JSON.stringify({ ...content, plugins: content.plugins.filter(({ type }) => type !== 'ambit-cni') });
    await nodeExec(node, ['sh', '-c', `printf '%s' '${without}' > ${file}.tmp && mv ${file}.tmp ${file}`]);
    await until('the plugin to come back', async () => (await nodeExec(node, ['cat', file])).includes('ambit-cni'));
  });

  it('puts the root certificate into every namespace', async () => {
    const root = await until('the root in default', () =>
      kubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', 'default', '-o', 'jsonpath={.data.root-cert\\.pem}']),
    );
    assert.match(root, /BEGIN CERTIFICATE/);
    await kubectl(['delete', 'configmap', 'istio-ca-root-cert', '-n', 'default']);
    const again = await until('the root to come back', () =>
      kubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', 'default', '-o', 'jsonpath={.data.root-cert\\.pem}']),
    );
    assert.equal(again, root);
  });
});
