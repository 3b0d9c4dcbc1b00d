import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectsDump } from '../../../src/control/objects-dump.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';

const HERE = { file: 'a.yaml', line: 3, column: 1 };

function storeOf(...manifests: readonly object[]): ObjectStore {
  const store = new ObjectStore();
  const objects = manifests.map((manifest) => {
    const reading = readObject(manifest, () => HERE);
    assert.ok(reading.kind === 'accepted', JSON.stringify(reading));
    return reading.object;
  });
  store.apply(objects, []);
  return store;
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'cart', namespace: 'shop' },
  spec: { ports: [{ port: 80 }] },
};
const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'key', namespace: 'shop' },
  data: { tls: 'c2VjcmV0' },
};
const tokens = {
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  metadata: { name: 'tokens', namespace: 'shop' },
  spec: {
    jwtRules: [{ issuer: 'me', jwks: '{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]}' }],
  },
};

function dump(
  store: ObjectStore,
  problems: Parameters<typeof objectsDump>[0]['problems'] = [],
  notes = new Map<string, string>(),
) {
  const accepted = [{ object: 'Service/shop/cart', position: 'a.yaml:3:1' }];
  return objectsDump({ store, problems, notes, positions: new Map(), rootNamespace: 'istio-system' }, { accepted });
}

describe('the list of objects', () => {
  it('says of each where it is, what it says, and what is wrong with it', () => {
    const [listed] = dump(storeOf(service));
    assert.equal(listed?.position, 'a.yaml:3:1');
    assert.equal(listed?.state, 'in force');
    assert.match(JSON.stringify(listed?.spec), /"port":80/);
    assert.deepEqual(
      listed?.findings.map(({ code, level }) => `${level} ${code}`),
      ['Info IST0118'],
      'the port says no protocol',
    );
  });

  it('has what was refused, too, with the field and the reason', () => {
    const position = { file: 'b.yaml', line: 7, column: 5 };
    const listed = dump(storeOf(), [
      { severity: 'error', object: 'Service shop/broken', field: 'spec.ports[0].port', reason: 'too large', position },
      { severity: 'error', object: '', field: '', reason: 'not valid YAML', position },
    ]);
    assert.deepEqual(
      listed.map(({ kind, namespace, name, state }) => [kind, namespace, name, state]),
      [
        ['File', '', 'b.yaml', 'refused'],
        ['Service', 'shop', 'broken', 'refused'],
      ],
    );
    assert.equal(listed[1]?.findings[0]?.message, 'spec.ports[0].port: too large');
  });

  it('has no Secret, no keys of tokens, and nothing that merely runs', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'shop' }, spec: { containers: [] } };
    const listed = dump(storeOf(secret, tokens, pod));
    assert.deepEqual(
      listed.map(({ kind }) => kind),
      ['RequestAuthentication'],
    );
    assert.ok(!JSON.stringify(listed).includes('oct'), 'the keys are not shown');
  });

  it('masks credentials that routes and policies compare with, and nothing else of them', () => {
    const route = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'v', namespace: 'shop' },
      spec: {
        hosts: ['cart'],
        http: [
          {
            match: [
              {
                headers: { authorization: { exact: 'Bearer HIDDEN' }, 'x-user': { exact: 'tester' } },
                withoutHeaders: { cookie: { regex: '.*HIDDEN.*' } },
              },
            ],
            route: [{ destination: { host: 'cart' } }],
          },
        ],
      },
    };
    const when = [
      { key: 'request.headers[authorization]', values: ['HIDDEN'] },
      { key: 'request.headers[Cookie]', notValues: ['HIDDEN'] },
      { key: 'request.headers[x-api-key]', values: ['HIDDEN'] },
      { key: 'request.headers[x-team]', values: ['sales'] },
    ];
    const policy = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'a', namespace: 'shop' },
      spec: { targetRefs: [{ group: '', kind: 'Service', name: 'cart' }], rules: [{ when }] },
    };
    const text = JSON.stringify(dump(storeOf(route, policy)));
    assert.ok(!text.includes('HIDDEN'), text);
    for (const shown of ['tester', 'request.headers[authorization]', 'request.headers[Cookie]', 'sales'])
      assert.ok(text.includes(shown), shown);
  });

  it('shows the cookie that a destination is chosen by: its name is no secret', () => {
    const rule = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'sticky', namespace: 'shop' },
      spec: {
        host: 'cart',
        trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: 'basket', ttl: '60s' } } } },
      },
    };
    assert.match(JSON.stringify(dump(storeOf(rule))), /"cookie":\{"name":"basket"/);
  });
});
