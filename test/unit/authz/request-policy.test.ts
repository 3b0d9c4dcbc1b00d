import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchCustom } from '../../../src/authz/custom-policies.ts';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import { compileRequestPolicy } from '../../../src/authz/request-policy.ts';
import type { HttpSubject, RequestSubject, TokenClaims } from '../../../src/authz/request-subject.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';

const ip = (text: string) => text as IpAddress;

interface Spec {
  readonly action?: string;
  readonly rules?: readonly object[];
  readonly [field: string]: unknown;
}

function policy(spec: Spec, metadata: object = {}) {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'shop', ...metadata },
    spec,
  };
  const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'AuthorizationPolicy', JSON.stringify(reading));
  return compileRequestPolicy(reading.object);
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  /** Several values stand for several fields of the name. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly token?: TokenClaims;
}

function request(asked: Asked = {}, connection: Partial<RequestSubject> = {}): RequestSubject {
  const http: HttpSubject = {
    authority: asked.authority ?? 'cart.shop',
    method: asked.method ?? 'GET',
    path: asked.path ?? '/',
    headerValues: (name) => [asked.headers?.[name] ?? []].flat(),
    token: asked.token,
  };
  return {
    identity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'storefront' },
    sourceIp: ip('10.0.0.1'),
    remoteIp: ip('10.0.0.1'),
    destinationIp: ip('10.96.0.1'),
    destinationPort: 80,
    sni: undefined,
    http,
    ...connection,
  };
}

const tcp = (connection: Partial<RequestSubject> = {}) => request({}, { http: undefined, ...connection });
const allows = (rule: object, subject: RequestSubject) =>
  new RequestPolicies([policy({ action: 'ALLOW', rules: [rule] })]).authorize(subject).allowed;
const from = (source: object) => ({ from: [{ source }] });
const to = (operation: object) => ({ to: [{ operation }] });
const when = (key: string, values: readonly string[], notValues: readonly string[] = []) => ({
  when: [{ key, ...(values.length > 0 && { values }), ...(notValues.length > 0 && { notValues }) }],
});

describe('the policies of a waypoint', () => {
  it('allow everything when there is none, and only what matches when one allows', () => {
    assert.deepEqual(new RequestPolicies([]).authorize(request()), { allowed: true, rule: 'none', policy: undefined });
    const gets = policy({ rules: [to({ methods: ['GET'] })] });
    assert.deepEqual(new RequestPolicies([gets]).authorize(request()), {
      allowed: true,
      rule: 'ns[shop]-policy[p]-rule[0]',
      policy: gets,
    });
    assert.deepEqual(new RequestPolicies([gets]).authorize(request({ method: 'POST' })), {
      allowed: false,
      rule: 'none',
      policy: undefined,
    });
  });

  it('refuse what any denies, whatever others allow', () => {
    const all = policy({ rules: [{}] });
    const noDelete = policy(
      { action: 'DENY', rules: [to({ methods: ['PUT'] }), to({ methods: ['DELETE'] })] },
      { name: 'd' },
    );
    assert.equal(new RequestPolicies([all, noDelete]).authorize(request()).allowed, true);
    assert.deepEqual(new RequestPolicies([all, noDelete]).authorize(request({ method: 'DELETE' })), {
      allowed: false,
      rule: 'ns[shop]-policy[d]-rule[1]',
      policy: noDelete,
    });
  });

  it('without rules allow nothing; an empty rule matches everything; a dry run and an audit decide nothing', () => {
    assert.equal(new RequestPolicies([policy({})]).authorize(request()).allowed, false);
    assert.equal(new RequestPolicies([policy({ rules: [{}] })]).authorize(request()).allowed, true);
    const dry = policy({ rules: [] }, { annotations: { 'istio.io/dry-run': 'true' } });
    assert.equal(
      new RequestPolicies([dry, policy({ action: 'AUDIT', rules: [{}] })]).authorize(request()).allowed,
      true,
    );
  });

  it('leave what a CUSTOM policy matches to whom it names', () => {
    const custom = policy({ action: 'CUSTOM', provider: { name: 'ext' }, rules: [to({ paths: ['/admin*'] })] });
    const other = policy({ action: 'CUSTOM', provider: { name: 'other' }, rules: [to({ methods: ['PUT'] })] });
    const admin = request({ path: '/admin/x' });
    assert.equal(new RequestPolicies([custom]).authorize(admin).allowed, true);
    assert.equal(matchCustom(new RequestPolicies([custom, other]), request()), undefined);
    assert.deepEqual(matchCustom(new RequestPolicies([custom, other]), admin), {
      rule: 'ns[shop]-policy[p]-rule[0]',
      policy: custom,
      provider: 'ext',
    });
    const both = request({ path: '/admin/x', method: 'PUT' });
    assert.equal(
      matchCustom(new RequestPolicies([custom, other]), both)?.provider,
      undefined,
      'nobody can say for both',
    );
    assert.deepEqual(matchCustom(new RequestPolicies([custom, custom]), admin)?.provider, 'ext');
  });

  it('want every clause of a rule and one of its alternatives', () => {
    const rule = {
      from: [
        { source: { namespaces: ['other'] } },
        { source: { principals: ['cluster.local/ns/shop/sa/storefront'] } },
      ],
      to: [{ operation: { methods: ['GET'], paths: ['/a'] } }, { operation: { methods: ['POST'], paths: ['/b'] } }],
    };
    for (const [method, path, expected] of [
      ['GET', '/a', true],
      ['POST', '/b', true],
      ['GET', '/b', false],
    ] as const) {
      assert.equal(allows(rule, request({ method, path })), expected, `${method} ${path}`);
    }
    const stranger = { identity: { trustDomain: 'cluster.local', namespace: 'far', serviceAccount: 'x' } };
    assert.equal(allows(rule, request({ path: '/a' }, stranger)), false);
  });
});

describe('a source', () => {
  const cases: readonly (readonly [object, boolean])[] = [
    [{ principals: ['cluster.local/ns/shop/*'] }, true],
    [{ principals: ['*/sa/storefront'] }, true],
    [{ principals: ['*'] }, true],
    [{ notPrincipals: ['*'] }, false],
    [{ principals: ['cluster.local/ns/shop/sa/other'] }, false],
    [{ namespaces: ['s*p'] }, true],
    [{ namespaces: ['sh*x'] }, false],
    [{ notNamespaces: ['shop'] }, false],
    [{ serviceAccounts: ['storefront'] }, true],
    [{ serviceAccounts: ['shop/storefront'] }, true],
    [{ serviceAccounts: ['far/storefront'] }, false],
    [{ trustDomains: ['cluster.*'] }, true],
    [{ notTrustDomains: ['cluster.local'] }, false],
    [{ ipBlocks: ['10.0.0.0/24'] }, true],
    [{ notIpBlocks: ['10.0.0.1'] }, false],
    [{ remoteIpBlocks: ['10.0.0.0/8'] }, true],
    [{ remoteIpBlocks: ['192.0.2.0/24'] }, false],
  ];
  for (const [source, expected] of cases) {
    it(`${JSON.stringify(source)} ${expected ? 'matches' : 'does not match'}`, () => {
      assert.equal(allows(from(source), request()), expected);
    });
  }

  it('without an identity matches nothing positive and everything negative', () => {
    const nobody = request({}, { identity: undefined });
    assert.equal(allows(from({ principals: ['*'] }), nobody), false);
    assert.equal(allows(from({ namespaces: ['*'] }), nobody), false);
    assert.equal(allows(from({ notPrincipals: ['*'] }), nobody), true);
  });

  it('is told by the principal of its token: any, of one issuer, or one subject', () => {
    const token = { iss: 'https://issuer.example/a', sub: 'me' };
    const principals = (...requestPrincipals: string[]) => allows(from({ requestPrincipals }), request({ token }));
    assert.equal(principals('*'), true);
    assert.equal(principals('https://issuer.example/a/me'), true);
    assert.equal(principals('https://issuer.example/a/*'), true);
    assert.equal(principals('https://issuer.example/*'), false);
    assert.equal(principals('*/me'), true);
    assert.equal(principals('*/you'), false);
    assert.equal(allows(from({ requestPrincipals: ['*'] }), request()), false);
    assert.equal(allows(from({ notRequestPrincipals: ['*'] }), request()), true);
    assert.equal(allows(from({ requestPrincipals: ['*'] }), request({ token: { iss: 'x' } })), false);
  });
});

describe('an operation', () => {
  const cases: readonly (readonly [object, Asked, boolean])[] = [
    [{ paths: ['/cart'] }, { path: '/cart?x=1' }, true],
    [{ paths: ['/cart'] }, { path: '/cart#part' }, true],
    [{ paths: ['/cart'] }, { path: '/cart/' }, false],
    [{ paths: ['/cart*'] }, { path: '/cart/1' }, true],
    [{ paths: ['*/admin'] }, { path: '/a/b/admin' }, true],
    [{ paths: ['/foo/{*}'] }, { path: '/foo/bar' }, true],
    [{ paths: ['/foo/{*}'] }, { path: '/foo/bar/baz' }, false],
    [{ paths: ['/foo/{*}'] }, { path: '/foo/' }, false],
    [{ paths: ['/foo/{**}'] }, { path: '/foo/a/b/c' }, true],
    [{ paths: ['/foo/{*}/x/{**}'] }, { path: '/foo/a/x' }, true],
    [{ paths: ['/foo/{*}/x/{**}'] }, { path: '/foo/a/y/b' }, false],
    [{ notPaths: ['/private*'] }, { path: '/private/x' }, false],
    [{ methods: ['get'] }, { method: 'GET' }, false],
    [{ notMethods: ['POST'] }, { method: 'GET' }, true],
    [{ hosts: ['CART.shop'] }, { authority: 'cart.SHOP' }, true],
    [{ hosts: ['cart.shop'] }, { authority: 'cart.shop:80' }, false],
    [{ hosts: ['cart.shop:*'] }, { authority: 'cart.shop:80' }, true],
    [{ notHosts: ['*.shop'] }, { authority: 'cart.shop' }, false],
    [{ ports: ['80'] }, {}, true],
    [{ notPorts: ['80', '443'] }, {}, false],
  ];
  for (const [operation, asked, expected] of cases) {
    it(`${JSON.stringify(operation)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(asked)}`, () => {
      assert.equal(allows(to(operation), request(asked)), expected);
    });
  }
});

describe('a condition', () => {
  const token = {
    iss: 'i',
    sub: 's',
    aud: ['web', 'app'],
    azp: 'ui',
    groups: ['admin', 'dev'],
    a: { b: 'deep' },
    n: 7,
  };
  const asked = { headers: { 'x-role': 'admin,dev', empty: '' }, token };
  const cases: readonly (readonly [string, readonly string[], boolean])[] = [
    ['request.headers[X-Role]', ['admin*'], true],
    ['request.headers[X-Role]', ['dev'], false],
    ['request.headers[empty]', ['*'], false],
    ['request.headers[absent]', ['*'], false],
    ['source.ip', ['10.0.0.0/8'], true],
    ['remote.ip', ['10.0.0.1'], true],
    ['destination.ip', ['10.96.0.0/16'], true],
    ['destination.port', ['80'], true],
    ['destination.port', ['8080'], false],
    ['source.namespace', ['shop'], true],
    ['source.principal', ['*/storefront'], true],
    ['source.serviceAccount', ['storefront'], true],
    ['source.trustDomain', ['cluster.local'], true],
    ['request.auth.principal', ['i/s'], true],
    ['request.auth.audiences', ['app'], true],
    ['request.auth.presenter', ['ui'], true],
    ['request.auth.claims[groups]', ['admin'], true],
    ['request.auth.claims[a][b]', ['deep'], true],
    ['request.auth.claims[a][c]', ['*'], false],
    ['request.auth.claims[n]', ['7'], false],
    ['request.auth.claims[constructor]', ['*'], false],
    ['connection.sni', ['*'], false],
  ];
  for (const [key, values, expected] of cases) {
    it(`${key} in ${values.join()} ${expected ? 'holds' : 'does not hold'}`, () => {
      assert.equal(allows(when(key, values), request(asked)), expected);
      if (values.length === 1) assert.equal(allows(when(key, [], values), request(asked)), !expected);
    });
  }

  it('of a header looks at each of its fields, and at all of them combined', () => {
    const holds = (values: readonly string[], ...sent: readonly string[]) =>
      allows(when('request.headers[x-role]', values), request({ headers: { 'x-role': sent } }));
    assert.equal(holds(['admin'], 'user', 'admin'), true, 'a denial of admin is not avoided by a second field');
    assert.equal(holds(['admin'], 'admin', 'user'), true);
    assert.equal(holds(['user,admin'], 'user', 'admin'), true);
    assert.equal(holds(['admin'], 'user', 'root'), false);
    assert.equal(holds(['admin'], 'user,admin'), false, 'what is in one field is one value');
    const without = when('request.headers[x-role]', [], ['admin']);
    assert.equal(allows(without, request({ headers: { 'x-role': ['user', 'admin'] } })), false);
    const cookie = when('request.headers[cookie]', ['a=1; b=2']);
    assert.equal(allows(cookie, request({ headers: { cookie: ['a=1', 'b=2'] } })), true, 'crumbs of HTTP/2 are one');
    const crumb = when('request.headers[cookie]', ['b=2']);
    assert.equal(allows(crumb, request({ headers: { cookie: ['a=1', 'b=2'] } })), false);
  });

  it('that cannot be checked here never allows, and does not narrow a denial', () => {
    const key = 'experimental.envoy.filters.network.mysql_proxy[db]';
    assert.equal(allows(when(key, ['x']), request()), false);
    const deny = policy({ action: 'DENY', rules: [{ ...to({ methods: ['GET'] }), ...when(key, ['x']) }] });
    assert.equal(new RequestPolicies([deny]).authorize(request()).allowed, false);
    assert.equal(new RequestPolicies([deny]).authorize(request({ method: 'PUT' })).allowed, true);
  });
});

describe('a connection that is not HTTP', () => {
  it('is never allowed by a rule that asks for HTTP', () => {
    assert.equal(allows(to({ methods: ['GET'] }), tcp()), false);
    assert.equal(allows(to({ notMethods: ['POST'] }), tcp()), false);
    assert.equal(allows(from({ principals: ['*'] }), tcp()), true);
  });

  it('is denied by what is left of a rule without the questions about HTTP', () => {
    const deny = (rule: object) =>
      new RequestPolicies([policy({ action: 'DENY', rules: [rule] })]).authorize(tcp()).allowed;
    assert.equal(deny(to({ methods: ['GET'], ports: ['80'] })), false);
    assert.equal(deny(to({ methods: ['GET'], ports: ['81'] })), true);
    assert.equal(deny(to({ notMethods: ['GET'] })), false);
  });

  it('does not get past a CUSTOM policy by not being HTTP', () => {
    const custom = policy({ action: 'CUSTOM', provider: { name: 'ext' }, rules: [to({ paths: ['/admin*'] })] });
    assert.equal(matchCustom(new RequestPolicies([custom]), tcp())?.provider, 'ext');
  });
});
