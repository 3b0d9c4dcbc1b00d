import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fedPolicyNames, sourceOfFedPolicy } from '../../../src/model/fed-policy-name.ts';

const ROOT = 'istio-system';
const peer = (isStrict: boolean, hasPorts: boolean, hasSelector = hasPorts, namespace = 'shop') => ({
  kind: 'PeerAuthentication',
  namespace,
  name: 'p',
  peer: { isStrict, hasPorts, hasSelector },
});

describe('the policies that ztunnels are fed for an object', () => {
  it('have the name of an AuthorizationPolicy', () => {
    assert.deepEqual(fedPolicyNames({ kind: 'AuthorizationPolicy', namespace: 'shop', name: 'a' }, ROOT), ['shop/a']);
    assert.deepEqual(sourceOfFedPolicy('a'), { kind: 'AuthorizationPolicy', name: 'a' });
  });

  it('are one of its own for a PeerAuthentication with ports, else one that all share when it is STRICT', () => {
    const own = 'shop/converted_peer_authentication_p';
    const shared = `${ROOT}/istio_converted_static_strict`;
    assert.deepEqual(fedPolicyNames(peer(true, false), ROOT), [shared]);
    assert.deepEqual(fedPolicyNames(peer(true, true), ROOT), [own]);
    assert.deepEqual(fedPolicyNames(peer(false, true), ROOT), [own]);
    assert.deepEqual(fedPolicyNames(peer(false, false), ROOT), [], 'everybody may call');
    assert.deepEqual(sourceOfFedPolicy('converted_peer_authentication_p'), { kind: 'PeerAuthentication', name: 'p' });
    assert.deepEqual(sourceOfFedPolicy('istio_converted_static_strict'), { kind: 'PeerAuthentication', name: '' });
  });

  it('are not the shared one for a PeerAuthentication that selects nothing, or of which nothing is known', () => {
    const own = `${ROOT}/converted_peer_authentication_p`;
    assert.deepEqual(fedPolicyNames(peer(true, false, true, ROOT), ROOT), [own]);
    assert.deepEqual(fedPolicyNames({ kind: 'PeerAuthentication', namespace: ROOT, name: 'p' }, ROOT), [own]);
  });

  it('are none for rules about tokens', () => {
    assert.deepEqual(fedPolicyNames({ kind: 'RequestAuthentication', namespace: 'shop', name: 'a' }, ROOT), []);
  });
});
