import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NO_MESH_CONFIG, parseMeshConfig } from '../../../src/model/mesh-config.ts';
import { isNamespaceSelected } from '../../../src/model/namespace-selection.ts';

describe('parseMeshConfig', () => {
  it('reads the fields of L4 and leaves others alone', () => {
    const parsed = parseMeshConfig(`
trustDomain: example.org
rootNamespace: mesh
enableTracing: true
discoverySelectors:
- matchLabels: {env: prod}
  matchExpressions:
  - {key: team, operator: In, values: [a, b]}
`);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.trustDomain, 'example.org');
    assert.equal(parsed.value.rootNamespace, 'mesh');
    assert.deepEqual(parsed.value.discoverySelectors, [
      [
        { key: 'env', operator: 'In', values: ['prod'] },
        { key: 'team', operator: 'In', values: ['a', 'b'] },
      ],
    ]);
  });

  it('takes an empty text for no configuration', () => {
    assert.deepEqual(parseMeshConfig(''), { ok: true, value: NO_MESH_CONFIG });
  });

  it('refuses what would change who is trusted or looked at by mistake', () => {
    const texts = [
      'trustDomain: 7',
      'trustDomain: ""',
      'trustDomain: a/b',
      'rootNamespace: Not_A_Name',
      'discoverySelectors: {}',
      'discoverySelectors: [x]',
      'discoverySelectors: [{matchExpressions: [{key: a, operator: Like}]}]',
      'discoverySelectors: [{matchLabels: {a: 1}}]',
      '[]',
      'a: [',
    ];
    for (const text of texts) assert.equal(parseMeshConfig(text).ok, false, text);
  });

  it('reads external authorizers of both kinds with all their fields, and leaves other providers alone', () => {
    const parsed = parseMeshConfig(`
extensionProviders:
- name: tracer
  opentelemetry: {service: a, port: 1}
- name: web
  envoyExtAuthzHttp:
    service: auth/Ext.auth.svc.cluster.local
    port: 8000
    timeout: 2.5s
    pathPrefix: /check
    failOpen: true
    clearRouteCache: true
    statusOnError: "503"
    includeRequestHeadersInCheck: [Cookie, x-a-*, "*-id"]
    includeAdditionalHeadersInCheck: {X-From: mesh}
    includeRequestBodyInCheck: {maxRequestBytes: 1024, allowPartialMessage: true, packAsBytes: true}
    headersToUpstreamOnAllow: [x-user]
    headersToDownstreamOnDeny: [set-cookie]
    headersToDownstreamOnAllow: [x-seen]
- name: rpc
  envoyExtAuthzGrpc: {service: ext.auth.svc.cluster.local, port: 9000}
`);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.deepEqual(parsed.value.authorizers, [
      {
        name: 'web',
        protocol: 'http',
        namespace: 'auth',
        hostname: 'ext.auth.svc.cluster.local',
        port: 8000,
        timeoutMs: 2500,
        failOpen: true,
        statusOnError: 503,
        clearRouteCache: true,
        body: { maxBytes: 1024, allowPartial: true, asBytes: true },
        pathPrefix: '/check',
        requestHeaders: ['cookie', 'x-a-*', '*-id'],
        additionalHeaders: new Map([['x-from', 'mesh']]),
        toUpstreamOnAllow: ['x-user'],
        toDownstreamOnDeny: ['set-cookie'],
        toDownstreamOnAllow: ['x-seen'],
      },
      {
        name: 'rpc',
        protocol: 'grpc',
        namespace: '',
        hostname: 'ext.auth.svc.cluster.local',
        port: 9000,
        timeoutMs: 600_000,
        failOpen: false,
        statusOnError: 403,
        clearRouteCache: false,
        body: undefined,
      },
    ]);
  });

  it('names the field of an external authorizer that is wrong', () => {
    const provider = 'extensionProviders[0]';
    const http = `${provider}.envoyExtAuthzHttp`;
    const cases: readonly (readonly [object, string])[] = [
      [{ service: 'a.b' }, `${http}.port is required`],
      [{ port: 1 }, `${http}.service is required`],
      [{ service: 'a/b/c', port: 1 }, `${http}.service "a/b/c" is not HOST`],
      [{ service: 'a', port: 70_000 }, `${http}.port must be a whole number`],
      [{ service: 'a', port: 1, timeout: 'soon' }, `${http}.timeout "soon"`],
      [{ service: 'a', port: 1, timeout: '0s' }, `${http}.timeout "0s"`],
      [{ service: 'a', port: 1, statusOnError: '99' }, `${http}.statusOnError "99"`],
      [{ service: 'a', port: 1, failOpen: 'yes' }, `${http}.failOpen must be true or false`],
      [{ service: 'a', port: 1, headersToUpstreamOnAllow: ['*'] }, `${http}.headersToUpstreamOnAllow "*"`],
      [{ service: 'a', port: 1, includeRequestHeadersInCheck: ['a*b'] }, `${http}.includeRequestHeadersInCheck "a*b"`],
      [
        { service: 'a', port: 1, includeRequestBodyInCheck: {} },
        `${http}.includeRequestBodyInCheck.maxRequestBytes is req`,
      ],
      [{ service: 'a', port: 1, pathPrefix: 'check' }, `${http}.pathPrefix`],
      [{ service: 'a', port: 1, headerToUpstream: [] }, `${http}.headerToUpstream is not a known field`],
      [{ service: 'a', port: 1, includeAdditionalHeadersInCheck: { a: 'b\nc' } }, `${http}.includeAdditionalHeaders`],
    ];
    for (const [fields, expected] of cases) {
      const parsed = parseMeshConfig(
        JSON.stringify({ extensionProviders: [{ name: 'a', envoyExtAuthzHttp: fields }] }),
      );
      assert.ok(!parsed.ok && parsed.error.startsWith(expected), `${expected}: ${JSON.stringify(parsed)}`);
    }
    const twice = { name: 'a', envoyExtAuthzGrpc: { service: 'a', port: 1 } };
    const parsed = parseMeshConfig(JSON.stringify({ extensionProviders: [twice, twice] }));
    assert.ok(!parsed.ok && parsed.error.startsWith('extensionProviders[1].name'), JSON.stringify(parsed));
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseMeshConfig(text).ok === 'boolean'));
    fc.assert(fc.property(fc.json(), (text) => typeof parseMeshConfig(text).ok === 'boolean'));
  });
});

describe('isNamespaceSelected', () => {
  const labels = new Map([['env', 'prod']]);

  it('selects everything without selectors, and what any of them matches', () => {
    assert.equal(isNamespaceSelected([], labels), true);
    const other = [{ key: 'env', operator: 'In', values: ['test'] }] as const;
    const own = [{ key: 'env', operator: 'In', values: ['prod'] }] as const;
    assert.equal(isNamespaceSelected([other], labels), false);
    assert.equal(isNamespaceSelected([other, own], labels), true);
  });

  it('knows every operator', () => {
    const holds = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
      isNamespaceSelected([[{ key, operator, values }]], labels);
    assert.equal(holds('env', 'NotIn', 'prod'), false);
    assert.equal(holds('none', 'NotIn', 'prod'), true);
    assert.equal(holds('env', 'Exists'), true);
    assert.equal(holds('none', 'Exists'), false);
    assert.equal(holds('env', 'DoesNotExist'), false);
    assert.equal(holds('none', 'DoesNotExist'), true);
  });
});
