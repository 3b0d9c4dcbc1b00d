import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { slimNamespace, slimPod } from '../../../../src/agent/cluster/kept-fields.ts';
import { nodeUids, readNodePod } from '../../../../src/agent/cluster/node-pod.ts';
import { asKubeObject, type KubeObject } from '../../../../src/kube/kube-object.ts';

const POD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'a',
    namespace: 'shop',
    uid: 'u1',
    resourceVersion: '7',
    labels: { app: 'a' },
    annotations: { 'ambient.istio.io/redirection': 'enabled', 'kubernetes.io/config.hash': 'h', other: 'x' },
  },
  spec: { nodeName: 'n1', serviceAccountName: 'sa', containers: [{ name: 'c' }] },
  status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'FD00:0::1' }], qosClass: 'x' },
};

describe('readNodePod', () => {
  it('keeps what the agent acts on', () => {
    assert.deepEqual(readNodePod(POD), {
      uid: 'u1',
      name: 'a',
      namespace: 'shop',
      serviceAccount: 'sa',
      labels: { app: 'a' },
      annotations: { 'ambient.istio.io/redirection': 'enabled', 'kubernetes.io/config.hash': 'h' },
      hostNetwork: false,
      isTerminal: false,
      ips: ['10.0.0.1', 'fd00::1'],
    });
  });

  it('knows pods that have ended, use the host network, or have no network yet', () => {
    const read = (fields: object) => readNodePod({ ...POD, ...fields });
    assert.equal(read({ status: { phase: 'Succeeded' } })?.isTerminal, true);
    assert.equal(read({ status: { phase: 'Failed' } })?.isTerminal, true);
    assert.equal(read({ spec: { hostNetwork: true } })?.hostNetwork, true);
    assert.equal(read({ spec: {} })?.serviceAccount, 'default');
    assert.deepEqual(read({ status: {} })?.ips, []);
  });

  it('knows a static pod by both of its uids', () => {
    const pod = readNodePod(POD);
    assert.deepEqual(pod === undefined ? [] : nodeUids(pod), ['u1', 'h']);
  });

  it('reads the same from what is kept of a listed object', () => {
    assert.deepEqual(readNodePod(slimPod(POD)), readNodePod(POD));
    assert.ok(!JSON.stringify(slimPod(POD)).includes('containers'));
    assert.deepEqual(slimNamespace({ metadata: { name: 'n', labels: { a: 'b' } }, spec: { x: 1 } }), {
      metadata: { name: 'n', labels: { a: 'b' } },
    });
  });

  it('takes any object without throwing', () => {
    fc.assert(
      fc.property(fc.object(), fc.object(), (metadata, rest) => {
        const object = asKubeObject({ ...rest, metadata: { uid: 'u', name: 'a', namespace: 'b', ...metadata } });
        if (object !== undefined) readNodePod(slimPod(object));
      }),
    );
  });
});
