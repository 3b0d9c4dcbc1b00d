import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { object } from '../../../helpers/manifests.ts';
import { GATEWAY_API, parseObject, toService } from '../../../helpers/routes.ts';

describe('a route of connections', () => {
  it('is read from every version that clusters serve', () => {
    const spec = {
      parentRefs: [toService('db', { port: 5432 })],
      rules: [{ backendRefs: [{ name: 'db-v2', port: 5432, weight: 3 }] }],
    };
    const expected = [{ group: '', kind: 'Service', namespace: 'demo', name: 'db-v2', port: 5432, weight: 3 }];
    const kinds: [string, string][] = [
      ['TCPRoute', 'v1alpha2'],
      ['TCPRoute', 'v1'],
      ['TLSRoute', 'v1alpha2'],
      ['TLSRoute', 'v1alpha3'],
      ['TLSRoute', 'v1'],
    ];
    for (const [kind, version] of kinds) {
      const route = parseObject(object(`${GATEWAY_API}/${version}`, kind, 'r', { hostnames: ['db.org'], ...spec }));
      assert.ok(route.kind === 'TCPRoute' || route.kind === 'TLSRoute');
      assert.deepEqual([route.kind, route.rules[0]?.backends], [kind, expected]);
    }
  });
});
