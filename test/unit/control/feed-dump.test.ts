import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feedDump } from '../../../src/control/feed-dump.ts';
import { AUTHORIZATION_PROVIDER_TYPE, WAYPOINT_POLICY_TYPE } from '../../../src/model/waypoint-feed.ts';
import { WaypointPolicy } from '../../../src/proto/gen/ambit.ts';
import { ResourceStore } from '../../../src/xds/server/resource-store.ts';
import type { StoredResource } from '../../../src/xds/server/stored-resource.ts';

const ADDRESSES = 'type.googleapis.com/istio.workload.Address';

function storeOf(typeUrl: string, name: string, value: Uint8Array): ResourceStore {
  const store = new ResourceStore(typeUrl);
  const resource: StoredResource = { name, version: '1', value: Buffer.from(value), aliases: [], groups: [] };
  store.update([resource]);
  return store;
}

describe('the dump of the feed', () => {
  const jwtRules = [{ issuer: 'me', jwks: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}' }];
  const policy = WaypointPolicy.encode({
    namespace: 'shop',
    name: 'tokens',
    kind: 'RequestAuthentication',
    targets: ['Service/shop/cart'],
    manifest: Buffer.from(JSON.stringify({ kind: 'RequestAuthentication', spec: { jwtRules } })),
  }).finish();
  const dump = feedDump({
    addresses: storeOf(ADDRESSES, 'uid', Buffer.from('address')),
    authorizations: storeOf('type.googleapis.com/istio.security.Authorization', 'p', Buffer.from('policy')),
    waypointStores: new Map([
      [WAYPOINT_POLICY_TYPE, storeOf(WAYPOINT_POLICY_TYPE, 'shop/tokens', policy)],
      [AUTHORIZATION_PROVIDER_TYPE, storeOf(AUTHORIZATION_PROVIDER_TYPE, 'ask', Buffer.from('x-key: c2VjcmV0'))],
    ]),
  }) as Record<string, Record<string, string>>;

  it('has what proxies are fed, as it is sent', () => {
    assert.equal(Buffer.from(dump[ADDRESSES]?.['uid'] ?? '', 'base64').toString(), 'address');
    const shown = WaypointPolicy.decode(Buffer.from(dump[WAYPOINT_POLICY_TYPE]?.['shop/tokens'] ?? '', 'base64'));
    assert.deepEqual(shown.targets, ['Service/shop/cart']);
    assert.equal(JSON.parse(shown.manifest.toString()).spec.jwtRules[0].issuer, 'me');
  });

  it('has no key of tokens, and nothing of providers', () => {
    const policies = Buffer.from(dump[WAYPOINT_POLICY_TYPE]?.['shop/tokens'] ?? '', 'base64').toString();
    assert.ok(!policies.includes('jwks') && !policies.includes('c2VjcmV0'));
    assert.equal(AUTHORIZATION_PROVIDER_TYPE in dump, false);
  });
});
