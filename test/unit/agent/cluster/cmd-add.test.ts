import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterView } from '../../../../src/agent/cluster/cluster-view.ts';
import { handleCmdAdd } from '../../../../src/agent/cluster/cmd-add.ts';
import { DEFAULT_SELECTORS } from '../../../../src/agent/cluster/eligibility.ts';
import type { Labels } from '../../../../src/agent/cluster/label-selector.ts';
import { readNodePod } from '../../../../src/agent/cluster/node-pod.ts';
import type { CmdAdd } from '../../../../src/agent/request-schema.ts';
import { AmbitError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { fail, ok } from '../../../../src/base/result.ts';
import { KubeError } from '../../../../src/kube/kube-error.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const CMD_ADD: CmdAdd = { netns: '/run/netns/a', name: 'a', namespace: 'shop', uid: 'u1', ips: ['10.0.0.9'] };
const podObject = (uid: string, metadata: object = {}, spec: object = {}): KubeObject => ({
  metadata: { name: 'a', namespace: 'shop', uid, ...metadata },
  spec: { serviceAccountName: `sa-${uid}`, ...spec },
});
const DOWN = fail(new KubeError('KUBE_UNREACHABLE', 'connection refused'));

function setUp({ namespaces = { shop: AMBIENT, plain: {} } as Record<string, Labels>, isSynced = true } = {}) {
  const view = new ClusterView({
    selectors: DEFAULT_SELECTORS,
    excludedNamespaces: ['kube-system'],
    systemNamespace: 'istio-system',
  });
  view.namespaceHandler.replace(
    Object.entries(namespaces).map(([name, labels]) => ({ metadata: { name, labels: { ...labels } } })),
  );
  const calls: unknown[] = [];
  const api = { isUp: true, pods: new Map<string, KubeObject>(), namespaces: new Map<string, Labels>() };
  const run = (extra: Partial<CmdAdd> = {}, whileAdding: () => void = () => undefined) =>
    handleCmdAdd(
      { ...CMD_ADD, ...extra },
      {
        view,
        isSynced: () => isSynced,
        log: silentLogger,
        lookup: {
          pod: async (namespace, name) => {
            const found = api.pods.get(`${namespace}/${name}`);
            return api.isUp ? ok(found === undefined ? undefined : readNodePod(found)) : DOWN;
          },
          namespaceLabels: async (name) => (api.isUp ? ok(api.namespaces.get(name) ?? namespaces[name]) : DOWN),
        },
        enroller: {
          add: async ({ uid, serviceAccount, netns, ips }) => {
            calls.push(['add', uid, serviceAccount, netns, ...ips]);
            whileAdding();
          },
          remove: async (uid, gone) => void calls.push(['remove', uid, gone]),
        },
      },
    );
  return { view, api, run, calls };
}
const ADDED = ['add', 'u1', 'sa-u1', '/run/netns/a', '10.0.0.9'];

describe('POST /cmdadd in a cluster', () => {
  it('takes what the runtime knows of the network and the API server of the pod', async () => {
    const { view, run, calls } = setUp();
    view.podHandler.upsert(podObject('u1'));
    await run();
    assert.deepEqual(calls, [ADDED]);
  });

  it('is not ready before pods are listed', async () => {
    await assert.rejects(setUp({ isSynced: false }).run(), { code: 'AGENT_NOT_READY' });
  });

  it('asks the API server for a pod that the watch has not told of, and when the runtime names no uid', async () => {
    const { view, api, run, calls } = setUp();
    api.pods.set('shop/a', podObject('u1'));
    await run();
    view.podHandler.upsert(podObject('old'));
    await run({ uid: undefined });
    assert.deepEqual(calls, [ADDED, ADDED]);
  });

  it('refuses a pod whose place another one has taken, and one that is not there', async () => {
    const { view, api, run, calls } = setUp();
    view.podHandler.upsert(podObject('u2'));
    api.pods.set('shop/a', podObject('u2'));
    await assert.rejects(run(), { code: 'POD_UNKNOWN', message: /taken its place/ });
    await assert.rejects(run({ name: 'b' }), { code: 'POD_UNKNOWN', message: /no such pod/ });
    assert.deepEqual(calls, []);
  });

  it('knows a static pod by the uid it has on the node', async () => {
    const { view, run, calls } = setUp();
    view.podHandler.upsert(podObject('mirror', { annotations: { 'kubernetes.io/config.hash': 'u1' } }));
    await run();
    assert.equal((calls[0] as string[])[1], 'mirror');
  });

  it('leaves pods alone that do not belong into the mesh', async () => {
    const { view, run, calls } = setUp();
    view.podHandler.upsert(podObject('u1', { labels: { 'istio.io/dataplane-mode': 'none' } }));
    await run();
    view.podHandler.upsert(podObject('u1', { namespace: 'plain' }));
    await run({ namespace: 'plain' });
    assert.deepEqual(calls, []);
  });

  it('believes a label that the namespace was given a moment ago', async () => {
    const { view, api, run, calls } = setUp();
    view.podHandler.upsert(podObject('u1', { namespace: 'plain' }));
    api.namespaces.set('plain', AMBIENT);
    await run({ namespace: 'plain' });
    assert.deepEqual(calls, [ADDED]);
  });

  it('does not hold plain pods up when the API server is away, but does hold others', async () => {
    const { view, api, run, calls } = setUp();
    api.isUp = false;
    await run({ namespace: 'plain' });
    view.podHandler.upsert(podObject('u1', { namespace: 'plain' }));
    await run({ namespace: 'plain' });
    assert.deepEqual(calls, []);
    await assert.rejects(run({ uid: 'u9' }), { code: 'AGENT_NOT_READY', message: /connection refused/ });
    await assert.rejects(run({ namespace: 'new', uid: 'u9' }), { code: 'AGENT_NOT_READY' });
    view.podHandler.upsert(podObject('u3', { namespace: 'plain', labels: AMBIENT }));
    await assert.rejects(
      run({ namespace: 'plain', uid: 'u9' }),
      AmbitError,
      'a namespace with single pods is not plain',
    );
  });

  it('takes a pod out again that was deleted while it was added', async () => {
    const { view, run, calls } = setUp();
    const object = podObject('u1');
    view.podHandler.upsert(object);
    await assert.rejects(
      run({}, () => view.podHandler.remove(object)),
      { message: /deleted while it was added/ },
    );
    assert.deepEqual(calls, [ADDED, ['remove', 'u1', true]]);
  });
});

describe('ClusterView', () => {
  it('tells of pods that a list no longer has, and remembers them as deleted', () => {
    const { view } = setUp();
    view.podHandler.replace([podObject('u1'), podObject('u2', { name: 'b' })]);
    const told: string[] = [];
    view.listen({ onPod: (uid) => told.push(uid), onPodList: () => told.push('list'), onNamespaces: () => undefined });
    view.podHandler.replace([podObject('u2', { name: 'b' })]);
    assert.deepEqual(told, ['u1', 'u2', 'list']);
    assert.ok(view.wasDeleted('u1') && !view.wasDeleted('u2'));
  });

  it('tells of all pods of a namespace whose labels change', () => {
    const { view } = setUp();
    view.podHandler.replace([podObject('u1'), podObject('u2', { namespace: 'plain' })]);
    const told: string[] = [];
    view.listen({ onPod: (uid) => told.push(uid), onPodList: () => undefined, onNamespaces: () => told.push('file') });
    view.namespaceHandler.upsert({ metadata: { name: 'shop' } });
    assert.deepEqual(told, ['u1', 'file']);
    assert.deepEqual(Object.fromEntries(view.enrolledNamespaces()), { shop: false, plain: false });
  });
});
