import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { OWNED_KINDS } from '../../../src/install/install-kinds.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  NAMESPACES,
} from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { runAmbit } from '../../helpers/run-ambit.ts';

describe('ambit install, upgrade and uninstall', () => {
  let api: FakeKubeApi;
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
    for (const kind of [...OWNED_KINDS, CUSTOM_RESOURCE_DEFINITIONS]) api.serve(kind);
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  const ambit = (...args: string[]) => runAmbit(args, api.config);

  it('refuse a second namespace and touch nothing there', async () => {
    assert.equal((await ambit('install')).code, 0);
    const labels = { 'app.kubernetes.io/part-of': 'ambit' };
    api.put(CONFIG_MAPS, { metadata: { name: 'of-a-user', namespace: 'shop', labels } });
    for (const command of ['install', 'upgrade', 'uninstall']) {
      const { code, stderr } = await ambit(command, '-n', 'elsewhere');
      assert.equal(code, 1);
      assert.match(stderr, /ambit is installed in namespace istio-system/);
    }
    assert.equal((await ambit('install')).code, 0);
    assert.ok(api.get(CONFIG_MAPS, 'shop', 'of-a-user'));
    assert.equal(api.get(NAMESPACES, '', 'elsewhere'), undefined);
    const binding = JSON.stringify(api.get(CLUSTER_ROLE_BINDINGS, '', 'ambit-control'));
    assert.match(binding, /"namespace":"istio-system"/);
  });

  it('take away what an installation that broke off left', async () => {
    api.refuse = (method, path) => (method === 'PATCH' && path.endsWith('/daemonsets/ztunnel') ? 403 : undefined);
    assert.equal((await ambit('install')).code, 1);
    const { code, stderr } = await ambit('uninstall');
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      OWNED_KINDS.flatMap((kind) => api.objects(kind)),
      [],
    );
  });

  it('start over with --reset-values when the stored values are broken, as the error says', async () => {
    const labels = { 'app.kubernetes.io/part-of': 'ambit' };
    const metadata = { name: 'ambit-install', namespace: 'istio-system', labels };
    api.put(CONFIG_MAPS, { metadata, data: { 'values.json': '{' } });
    const refused = await ambit('upgrade');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /does not hold values: repair its key values\.json, or .*--reset-values/);
    const { code, stderr } = await ambit('upgrade', '--reset-values');
    assert.equal(code, 0, stderr);
    const stored = api.get(CONFIG_MAPS, 'istio-system', 'ambit-install')?.['data'];
    assert.deepEqual(stored, { 'values.json': '{}' });
  });

  it('name the right that an account lacks, in the words of a person', async () => {
    api.refuse = (_method, path) => (path === '/api/v1/configmaps' ? 403 : undefined);
    const { code, stderr } = await ambit('install');
    assert.equal(code, 1);
    assert.match(stderr, /your account lacks the right to list configmaps in all namespaces/);
    assert.doesNotMatch(stderr, /what the chart installs/);
  });

  it('end quietly when nobody reads on', async () => {
    const { code, stderr } = await runAmbit(['install', '--dry-run'], undefined, true);
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });

  it('say what a kubeconfig is not', async () => {
    const { code, stderr } = await runAmbit(['install', '--kubeconfig', new URL(import.meta.url).pathname]);
    assert.equal(code, 1);
    assert.match(stderr, /kubeconfig .*install\.test\.ts: it is not a kubeconfig/);
  });

  it('show their timeout as it is typed', async () => {
    const { stdout } = await runAmbit(['install', '--help']);
    assert.match(stdout, /--timeout <duration> .*\(default: 5m\)/);
  });
});
