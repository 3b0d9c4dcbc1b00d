import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { OWNED_KINDS } from '../../../src/install/install-kinds.ts';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { Installer } from '../../../src/install/installer.ts';
import { renderInstall } from '../../../src/install/render-install.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DAEMON_SETS, NAMESPACES } from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

const NAMESPACE = 'istio-system';
const objects = renderInstall(parseInstallValues({}), NAMESPACE);

describe('Installer', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let lines: string[] = [];
  let installer: Installer;

  before(async () => {
    api = await FakeKubeApi.start();
    for (const kind of [...OWNED_KINDS, NAMESPACES, CUSTOM_RESOURCE_DEFINITIONS]) api.serve(kind);
    client = new KubeClient(api.config, { clock: systemClock });
    installer = new Installer({ client, report: (line) => lines.push(line) });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  it('creates every object, the namespace first', async () => {
    await installer.apply(objects);
    assert.equal(lines[0], 'namespace/istio-system created');
    assert.equal(lines.length, objects.length);
    assert.ok(lines.every((line) => line.endsWith(' created')));
  });

  it('deletes what a new version no longer has, and nothing of others', async () => {
    lines = [];
    const labels = { 'app.kubernetes.io/part-of': 'ambit' };
    api.put(CONFIG_MAPS, { metadata: { name: 'of-before', namespace: NAMESPACE, labels } });
    api.put(CONFIG_MAPS, { metadata: { name: 'of-others', namespace: NAMESPACE } });
    await installer.prune(objects);
    assert.deepEqual(lines, ['configmap/of-before deleted']);
    assert.ok(api.get(CONFIG_MAPS, NAMESPACE, 'of-others'));
  });

  it('names the object and the right that is missing when the API server refuses', async () => {
    api.refuse = (method, path) => (method === 'PATCH' && path.endsWith('/daemonsets/ztunnel') ? 403 : undefined);
    await assert.rejects(installer.apply(objects), {
      code: 'INSTALL_APPLY_FAILED',
      message: /daemonset\.apps\/ztunnel cannot be applied: .*your account lacks this right/,
    });
    api.refuse = () => undefined;
  });

  it('goes on where it stopped when it is run again', async () => {
    await installer.apply(objects);
    assert.ok(api.get(DAEMON_SETS, NAMESPACE, 'ztunnel'));
  });

  it('takes everything away again, and the root certificates of all namespaces', async () => {
    const labels = { 'istio.io/config': 'true' };
    for (const namespace of ['a', 'b']) {
      api.put(CONFIG_MAPS, { metadata: { name: 'istio-ca-root-cert', namespace, labels } });
    }
    for (const kind of OWNED_KINDS) await installer.deleteOwned(kind);
    assert.equal(await installer.deleteRootConfigMaps(), 2);
    const left = OWNED_KINDS.flatMap((kind) => api.objects(kind)).map(({ metadata }) => metadata.name);
    assert.deepEqual(left, ['of-others']);
  });

  it('finds nothing to delete where a kind does not exist', async () => {
    const absent = { group: 'x.example', version: 'v1', kind: 'X', plural: 'xs', namespaced: true };
    assert.equal(await installer.deleteOwned(absent), 0);
  });
});
