import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { OWNED_KINDS } from '../../../src/install/install-kinds.ts';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { Installer } from '../../../src/install/installer.ts';
import { isOwnObject } from '../../../src/install/ownership.ts';
import { renderInstall } from '../../../src/install/render-install.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { objectName } from '../../../src/kube/kube-object.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  NAMESPACES,
} from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

const NAMESPACE = 'istio-system';
const PART_OF = { 'app.kubernetes.io/part-of': 'ambit' };
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
    installer = new Installer(
      { namespace: NAMESPACE, isShared: false },
      { client, report: (line) => lines.push(line) },
    );
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
    const own = { ...PART_OF, 'ambit.io/namespace': NAMESPACE };
    const foreign = { ...PART_OF, 'ambit.io/namespace': 'elsewhere' };
    api.put(CONFIG_MAPS, { metadata: { name: 'of-before', namespace: NAMESPACE, labels: own } });
    api.put(CONFIG_MAPS, { metadata: { name: 'of-others', namespace: NAMESPACE } });
    api.put(CONFIG_MAPS, { metadata: { name: 'of-a-user', namespace: NAMESPACE, labels: PART_OF } });
    api.put(CONFIG_MAPS, { metadata: { name: 'of-a-user', namespace: 'shop', labels: own } });
    api.put(CONFIG_MAPS, { metadata: { name: 'of-another', namespace: NAMESPACE, labels: foreign } });
    api.put(CLUSTER_ROLES, { metadata: { name: 'of-another', labels: foreign } });
    api.put(CLUSTER_ROLES, { metadata: { name: 'of-a-user', labels: PART_OF } });
    await installer.prune(objects);
    assert.deepEqual(lines, ['configmap/of-before deleted']);
  });

  it('knows what an installation from before objects named their owner left', async () => {
    lines = [];
    const managedFields = [{ manager: 'ambit-install', operation: 'Apply' }];
    const labels = PART_OF;
    api.put(CONFIG_MAPS, { metadata: { name: 'dropped', namespace: NAMESPACE, labels, managedFields } });
    api.put(CONFIG_MAPS, { metadata: { name: 'dropped', namespace: 'elsewhere', labels, managedFields } });
    await installer.prune(objects);
    assert.deepEqual(lines, ['configmap/dropped deleted']);
  });

  it('leaves cluster-scoped objects of before to the installation that they point to', () => {
    const subjects = (namespace: string) => [{ kind: 'ServiceAccount', name: 'ambit-control', namespace }];
    const binding = (namespace: string) => ({
      metadata: { name: 'ambit-control', labels: PART_OF },
      subjects: subjects(namespace),
    });
    const role = { metadata: { name: 'ambit-control', labels: PART_OF } };
    const alone = { namespace: NAMESPACE, isShared: false };
    assert.equal(isOwnObject(CLUSTER_ROLE_BINDINGS, binding(NAMESPACE), alone), true);
    assert.equal(isOwnObject(CLUSTER_ROLE_BINDINGS, binding('elsewhere'), alone), false);
    assert.equal(isOwnObject(CLUSTER_ROLES, role, alone), true);
    assert.equal(isOwnObject(CLUSTER_ROLES, role, { ...alone, isShared: true }), false);
  });

  it('names the object and the right that is missing when the API server refuses', async () => {
    api.refuse = (method, path) => (method === 'PATCH' && path.endsWith('/daemonsets/ztunnel') ? 403 : undefined);
    await assert.rejects(installer.apply(objects), {
      code: 'INSTALL_APPLY_FAILED',
      message:
        /daemonset\.apps\/ztunnel cannot be applied: .*your account lacks the right to patch daemonsets\.apps in namespace istio-system/,
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
    api.put(CONFIG_MAPS, { metadata: { name: 'user-settings', namespace: 'a', labels } });
    for (const kind of OWNED_KINDS) await installer.deleteOwned(kind);
    assert.equal(await installer.deleteRootConfigMaps(), 2);
    const left = OWNED_KINDS.flatMap((kind) => api.objects(kind)).map(objectName);
    assert.deepEqual(left.sort(), [
      'a/user-settings',
      'elsewhere/dropped',
      'istio-system/of-a-user',
      'istio-system/of-another',
      'istio-system/of-others',
      'of-a-user',
      'of-another',
      'shop/of-a-user',
    ]);
  });

  it('finds nothing to delete where a kind does not exist', async () => {
    const absent = { group: 'x.example', version: 'v1', kind: 'X', plural: 'xs', namespaced: true };
    assert.equal(await installer.deleteOwned(absent), 0);
  });
});
