import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Caller } from '../../../src/control/caller.ts';
import { authorizeImpersonation } from '../../../src/control/node-authorizer.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { pod } from '../../helpers/manifests.ts';

const store = new ObjectStore();
store.apply(
  [
    pod({ name: 'zt-a', namespace: 'istio-system', serviceAccount: 'ztunnel', node: 'node-a', uid: 'u-a' }),
    pod({ name: 'zt-b', namespace: 'istio-system', serviceAccount: 'ztunnel', node: 'node-b', uid: 'u-b' }),
    pod({ name: 'other', namespace: 'istio-system', serviceAccount: 'other', node: 'node-a', uid: 'u-o' }),
    pod({ name: 'web', node: 'node-a', serviceAccount: 'web' }),
    pod({ name: 'done', node: 'node-a', serviceAccount: 'done', phase: 'Succeeded' }),
    pod({ name: 'failed', node: 'node-a', serviceAccount: 'failed', phase: 'Failed' }),
  ].map((raw) => {
    const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
    if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
    return reading.object;
  }),
  [],
);

const options = { trustedNodeAccounts: ['istio-system/ztunnel'], trustDomain: 'cluster.local' };
const ztunnel: Caller = {
  namespace: 'istio-system',
  serviceAccount: 'ztunnel',
  podName: 'zt-a',
  podUid: 'u-a',
  nodeName: '',
};

function verdict(caller: Partial<Caller>, serviceAccount = 'web', extra = {}, identity = {}): string {
  const wanted = { trustDomain: 'cluster.local', namespace: 'demo', serviceAccount, ...identity };
  const result = authorizeImpersonation(store, { ...options, ...extra }, { ...ztunnel, ...caller }, wanted);
  return result.ok ? 'ok' : result.error;
}

describe('authorizeImpersonation', () => {
  test('allows a node proxy the accounts of pods on its node, ended ones that did not fail included', () => {
    assert.equal(verdict({}), 'ok');
    assert.equal(verdict({}, 'done'), 'ok');
    assert.equal(verdict({ nodeName: 'node-a' }), 'ok');
  });

  test('refuses accounts of other nodes, of failed pods, unknown ones and other trust domains', () => {
    assert.match(verdict({ podName: 'zt-b', podUid: 'u-b' }), /no pod of demo\/web is on node node-b/);
    assert.match(verdict({}, 'failed'), /no pod/);
    assert.match(verdict({}, 'nobody'), /no pod/);
    assert.match(verdict({}, 'web', {}, { trustDomain: 'x' }), /trust domain/);
    assert.match(verdict({}, 'web', {}, { namespace: 'other' }), /no pod/);
  });

  test('refuses callers that are not trusted node accounts', () => {
    assert.match(verdict({ serviceAccount: 'other', podName: 'other', podUid: 'u-o' }), /not a trusted node account/);
    assert.match(verdict({ namespace: 'demo' }), /not a trusted node account/);
  });

  test('refuses tokens of former pods, of other accounts and with another node', () => {
    assert.match(verdict({ podUid: 'old' }), /former pod/);
    assert.match(verdict({ podName: 'other', podUid: 'u-o' }), /another service account/);
    assert.match(verdict({ nodeName: 'node-b' }), /names node node-b/);
  });

  test('takes the node from the token only where callers need not be pods', () => {
    const unbound = { podName: '', podUid: '', nodeName: 'node-a' };
    assert.equal(verdict(unbound, 'web', { trustNodeOfToken: true }), 'ok');
    assert.match(verdict(unbound), /not bound to a pod/);
    assert.match(verdict({ ...unbound, nodeName: '' }, 'web', { trustNodeOfToken: true }), /not bound to a pod/);
    assert.match(verdict({ podName: 'gone', nodeName: 'node-a' }), /not known/);
  });
});
