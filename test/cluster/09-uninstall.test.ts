import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { ambit, apply, captureOnNode, kubectl, nodeExec, nodeNames, podsReady, until } from '../helpers/cluster.ts';
import {
  assertNoneFailed,
  deleteNamespace,
  loadCounts,
  loadGoesOn,
  loadObject,
  namespaceObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'uninstall';

describe('ambit uninstall', () => {
  after(() => deleteNamespace(NS));

  it('gives the pods of the mesh back to plain traffic with no failed new connection', async () => {
    const [first = '', second = ''] = await nodeNames();
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient' }),
      programsObject(NS),
      ...serverObjects(NS, 'server', { node: second }),
    );
    await podsReady(NS);
    await apply(loadObject(NS, 'client', 'server', { node: first }));
    await podsReady(NS);
    const before = await until('load', async () => {
      const counts = await loadCounts(NS, 'client');
      return counts.ok > 100 ? counts : undefined;
    });
    const dashboard = ['--set', 'dashboard.enabled=true', '--set', 'image.pullPolicy=Never'];
    assert.equal((await ambit(['upgrade', '--wait', ...dashboard])).code, 0);
    const { code, stdout, stderr } = await ambit(['uninstall', '--purge']);
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(stdout, /deployment\.apps\/ambit-dashboard deleted/);
    const after = await loadGoesOn(NS, 'client', await loadCounts(NS, 'client'), 200);
    assertNoneFailed(after, before);
    await using capture = await captureOnNode(first, ['plaintext-of-a-new-connection']);
    await until('plaintext', async () => capture.saw('plaintext-of-a-new-connection'));
  });

  it('leaves nothing on the nodes', async () => {
    for (const node of await nodeNames()) {
      assert.doesNotMatch(await nodeExec(node, ['sh', '-c', 'cat /etc/cni/net.d/*']), /ambit-cni/);
      assert.doesNotMatch(await nodeExec(node, ['ls', '/opt/cni/bin']), /ambit-cni/);
      assert.doesNotMatch(await nodeExec(node, ['sh', '-c', 'ls /var/lib/ambit || true']), /namespaces/);
      assert.doesNotMatch(await nodeExec(node, ['iptables-save']), /ISTIO|istio-inpod/);
      assert.doesNotMatch(await nodeExec(node, ['sh', '-c', 'ipset list -n || true']), /istio-inpod/);
    }
  });

  it('leaves nothing in the cluster when it purges', async () => {
    await until('the namespace to go', async () => {
      const text = await kubectl(['get', 'namespace', 'istio-system', '--ignore-not-found', '-o', 'name']);
      return text.trim() === '';
    });
    const everything = 'clusterroles,clusterrolebindings,validatingwebhookconfigurations,customresourcedefinitions';
    const left = await kubectl(['get', everything, '-l', 'app.kubernetes.io/part-of=ambit', '-o', 'name']);
    assert.equal(left.trim(), '');
    const roots = await kubectl([
      'get',
      'configmaps',
      '-A',
      '--field-selector',
      'metadata.name=istio-ca-root-cert',
      '-o',
      'name',
    ]);
    assert.equal(roots.trim(), '');
  });
});
