import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SERVICE_ROUTES_TYPE } from '../../../../src/model/waypoint-feed.ts';
import { ServiceRoutes } from '../../../../src/proto/gen/ambit.ts';
import { object, service } from '../../../helpers/manifests.ts';
import { virtualService } from '../../../helpers/route-lab.ts';
import { boundService, GATEWAY_API, httpRoute, RouteMesh, referenceGrant, toService } from '../../../helpers/routes.ts';

type Json = Record<string, unknown>;

const TWO_PORTS = {
  ports: [
    { name: 'http', port: 80 },
    { name: 'admin', port: 81 },
  ],
};
const web = boundService('web');
const ref = { name: 'web', port: 80 };
const matching = (match: Json) => [{ matches: [match], backendRefs: [ref] }];
const onPath = (value: string, type = 'PathPrefix') => matching({ path: { type, value } });
const oneRule = (rule: Json) => new RouteMesh([web, httpRoute('r', toService('web'), [rule])]);

describe('which routes a service has', () => {
  it('is those that name it as their parent, and nothing for a service without any or without a waypoint', () => {
    const mesh = new RouteMesh([
      web,
      boundService('other'),
      service('plain'),
      httpRoute('r', toService('web'), onPath('/a')),
      httpRoute('p', toService('plain'), onPath('/a')),
      httpRoute('g', { name: 'web' }, onPath('/a')),
    ]);
    assert.deepEqual([mesh.names('web'), mesh.ports('other'), mesh.ports('plain')], [['demo.r.0'], [], []]);
  });

  it('is, for all clients, those of its own namespace and of its waypoint, else those of the namespace of clients', () => {
    const labels = { 'istio.io/use-waypoint': 'gate', 'istio.io/use-waypoint-namespace': 'edge' };
    const listener = {
      name: 'mesh',
      port: 15008,
      protocol: 'HBONE',
      allowedRoutes: { namespaces: { from: 'All' } },
    };
    const spec = { gatewayClassName: 'istio-waypoint', listeners: [listener] };
    const parent = toService('web', { namespace: 'demo' });
    const mesh = new RouteMesh([
      object(`${GATEWAY_API}/v1`, 'Gateway', 'gate', spec, { namespace: 'edge' }),
      boundService('web', {}, { labels }),
      httpRoute('own', parent, onPath('/a')),
      httpRoute('of-waypoint', parent, onPath('/a'), { namespace: 'edge' }),
      httpRoute('of-client', parent, onPath('/a'), { namespace: 'client' }),
    ]);
    assert.deepEqual(mesh.names('web'), ['demo.own.0', 'edge.of-waypoint.0']);
    assert.deepEqual(mesh.names('web', 80, 'client'), ['client.of-client.0']);
    assert.equal(mesh.ports('web').length, 2);
  });

  it('comes and goes with the routes of clients, which leave those of others as they are', () => {
    const parent = toService('web', { namespace: 'demo', port: 80 });
    const ofClient = httpRoute('c', parent, onPath('/c'), { namespace: 'client' });
    const mesh = new RouteMesh([
      web,
      virtualService('web', { hosts: ['web'], http: [{ name: 'vs', redirect: { uri: '/vs' } }] }),
    ]);
    const before = mesh.names('web');
    mesh.add(ofClient);
    assert.deepEqual([mesh.names('web'), mesh.names('web', 80, 'client')], [before, ['client.c.0']]);
    assert.equal(before.length, 1);
    mesh.remove(ofClient);
    assert.equal(mesh.ports('web').length, 1);
  });

  it('is as many regular expressions as each namespace may have, whatever others have', () => {
    const parent = toService('web', { namespace: 'demo' });
    const rules = (of: string) =>
      Array.from({ length: 15 }, (_, rule) => ({
        matches: Array.from({ length: 64 }, (_, match) => ({
          path: { type: 'RegularExpression', value: `/${of}/${rule}/${match}/.*` },
        })),
        backendRefs: [ref],
      }));
    const mesh = new RouteMesh([
      web,
      httpRoute('greedy', parent, rules('a'), { namespace: 'a-client' }),
      httpRoute('more', parent, rules('b'), { namespace: 'a-client' }),
      httpRoute('own', parent, onPath('/.*', 'RegularExpression')),
      httpRoute('other', parent, onPath('/.*', 'RegularExpression'), { namespace: 'b-client' }),
    ]);
    assert.equal(mesh.names('web', 80, 'a-client').at(-1), 'too-many-regular-expressions');
    assert.deepEqual([mesh.names('web'), mesh.names('web', 80, 'b-client')], [['demo.own.0'], ['b-client.other.0']]);
  });

  it('holds for all ports, or for the one that is named by number or name; those of all are repeated there', () => {
    const mesh = new RouteMesh([
      boundService('web', TWO_PORTS),
      httpRoute('all', toService('web'), onPath('/')),
      httpRoute('one', toService('web', { port: 81 }), onPath('/a')),
      httpRoute('named', toService('web', { sectionName: 'admin' }), onPath('/b')),
      httpRoute('none', toService('web', { port: 82 }), onPath('/c')),
    ]);
    assert.deepEqual(mesh.names('web'), ['demo.all.0']);
    assert.deepEqual(mesh.names('web', 81), ['demo.named.0', 'demo.one.0', 'demo.all.0']);
    assert.deepEqual(
      mesh.ports('web').map(({ port, hasHttp, hasTcp }) => [port, hasHttp, hasTcp]),
      [
        [0, true, false],
        [81, true, false],
      ],
    );
  });

  it('may be those of a ServiceEntry, which hold for each of its hosts', () => {
    const spec = { hosts: ['a.org', 'b.org'], ports: [{ number: 80, name: 'http' }], resolution: 'DNS' };
    const entry = object('networking.istio.io/v1', 'ServiceEntry', 'ext', spec, {
      labels: { 'istio.io/use-waypoint': 'wp' },
    });
    const parent = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'ext' };
    const mesh = new RouteMesh([entry, httpRoute('r', parent, onPath('/'))]);
    assert.deepEqual([mesh.names('a.org'), mesh.names('b.org')], [['demo.r.0'], ['demo.r.0']]);
  });
});

describe('the order of matches', () => {
  const order = (...matches: Json[]) => {
    const mesh = oneRule({ matches });
    return mesh.ports('web')[0]?.http.map(({ match }) => {
      const { path, method, headers = [], query = [] } = match ?? {};
      const kind = path?.kind;
      const text = kind?.$case === 'exact' ? `=${kind.exact}` : kind?.$case === 'regex' ? `~${kind.regex}` : '';
      const value = kind?.$case === 'pathPrefix' ? kind.pathPrefix : text;
      return [
        value,
        method === undefined ? '' : ' method',
        ' header'.repeat(headers.length),
        ' query'.repeat(query.length),
      ].join('');
    });
  };
  const path = (value: string, type = 'PathPrefix') => ({ path: { type, value } });
  const header = (name: string) => ({ name, value: '1' });

  it('has exact paths first, then prefixes, then regular expressions, the longest first', () => {
    const found = order(path('/.*', 'RegularExpression'), path('/'), path('/a/b'), path('/a', 'Exact'), path('/a'));
    assert.deepEqual(found, ['=/a', '/a/b', '/a', '/', '~/.*']);
  });

  it('has a method before headers, headers before parameters, and more before fewer', () => {
    const found = order(
      {},
      { queryParams: [header('q')] },
      { headers: [header('a')] },
      { headers: [header('a'), header('b')] },
      { method: 'GET' },
      { method: 'GET', queryParams: [header('q')] },
    );
    assert.deepEqual(found, ['/ method query', '/ method', '/ header header', '/ header', '/ query', '/']);
  });

  it('has the oldest route first, then the first by name, then rules as written, across kinds', () => {
    const rules = [...onPath('/'), ...onPath('/')];
    const young = { creationTimestamp: '2026-01-02T00:00:00Z' };
    const old = { creationTimestamp: '2026-01-01T00:00:00Z' };
    const grpc = object(`${GATEWAY_API}/v1`, 'GRPCRoute', 'b', { parentRefs: [toService('web')], rules: [{}] }, young);
    const mesh = new RouteMesh([
      web,
      httpRoute('c', toService('web'), rules, young),
      grpc,
      httpRoute('z', toService('web'), onPath('/'), old),
    ]);
    assert.deepEqual(mesh.names('web'), ['demo.z.0', 'demo.b.0', 'demo.c.0', 'demo.c.1']);
  });
});

describe('what a rule does', () => {
  it('forwards to backends by weight, with what is changed for each, and keeps the share of what is not there', () => {
    const set = [{ name: 'x-v', value: '2' }];
    const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set, remove: ['x-old'] } }];
    const mesh = oneRule({
      backendRefs: [
        { ...ref, weight: 3, filters },
        { name: 'gone', port: 80 },
      ],
    });
    const { backends, missingStatus } = mesh.forward('web');
    assert.deepEqual(backends[0], {
      weight: 3,
      backend: { namespace: 'demo', hostname: 'web.demo.svc.cluster.local', port: 80, subset: '' },
      requestHeaders: { set: [{ name: 'x-v', value: '2', isFormat: undefined }], add: [], remove: ['x-old'] },
      responseHeaders: undefined,
      path: undefined,
      authority: '',
    });
    assert.deepEqual([backends[1]?.weight, backends[1]?.backend, missingStatus], [1, undefined, 500]);
  });

  it('answers 500 without backends', () => {
    const { backends, missingStatus } = oneRule({}).forward('web');
    assert.deepEqual([backends, missingStatus], [[], 500]);
  });

  it('redirects with 302 unless told otherwise, to what is given of scheme, host, port and path', () => {
    const path = { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' };
    const redirect = (requestRedirect: Json) =>
      oneRule({ filters: [{ type: 'RequestRedirect', requestRedirect }] }).ports('web')[0]?.http[0]?.action;
    const nothing = { scheme: '', authority: '', port: 0, path: undefined, status: 302, portChoice: 0 };
    assert.deepEqual(redirect({ hostname: 'a.org' }), {
      $case: 'redirect',
      redirect: { ...nothing, authority: 'a.org' },
    });
    assert.deepEqual(redirect({ scheme: 'https', port: 8443, path, statusCode: 301 }), {
      $case: 'redirect',
      redirect: {
        ...nothing,
        scheme: 'https',
        port: 8443,
        path: { kind: { $case: 'pathPrefix', pathPrefix: '/new' } },
        status: 301,
      },
    });
  });

  it('rewrites host and path', () => {
    const path = { type: 'ReplaceFullPath', replaceFullPath: '/x' };
    const rewrite = { type: 'URLRewrite', urlRewrite: { hostname: 'a.org', path } };
    const forward = oneRule({ filters: [rewrite], backendRefs: [ref] }).forward('web');
    assert.deepEqual([forward.authority, forward.path], ['a.org', { kind: { $case: 'full', full: '/x' } }]);
  });

  it('changes headers of requests and responses', () => {
    const change = { add: [{ name: 'x-a', value: '1' }] };
    const filters = [
      { type: 'RequestHeaderModifier', requestHeaderModifier: change },
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['server'] } },
    ];
    const route = oneRule({ filters, backendRefs: [ref] }).ports('web')[0]?.http[0];
    const added = [{ name: 'x-a', value: '1', isFormat: undefined }];
    assert.deepEqual(route?.requestHeaders, { set: [], add: added, remove: [] });
    assert.deepEqual(route?.responseHeaders, { set: [], add: [], remove: ['server'] });
  });

  it('fills in values of headers where they have operators that waypoints know', () => {
    const set = [
      { name: 'a', value: '%REQ(x)% 5%%' },
      { name: 'b', value: '50%-60%' },
      { name: 'c', value: '%E4%' },
    ];
    const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set } }];
    const mesh = oneRule({ filters, backendRefs: [ref] });
    assert.deepEqual(mesh.ports('web')[0]?.http[0]?.requestHeaders?.set, [
      { ...set[0], isFormat: true },
      { ...set[1], isFormat: undefined },
      { ...set[2], isFormat: undefined },
    ]);
    const note = mesh.model.notes.get('HTTPRoute/demo/r') ?? '';
    assert.equal(
      note,
      'rule 0: the header c is sent as it is written: its value has the operator %E4%, which waypoints cannot fill in',
    );
  });

  it('keeps clients to their endpoints as its rule says, by a name of its own where it has none', () => {
    const sessionOf = (sessionPersistence: Json) => oneRule({ sessionPersistence, backendRefs: [ref] }).forward('web');
    const cookieConfig = { lifetimeType: 'Permanent' };
    const given = sessionOf({ sessionName: 'Sid', absoluteTimeout: '1h', idleTimeout: '1500ms', cookieConfig }).session;
    assert.deepEqual(given, {
      name: 'Sid',
      isHeader: false,
      path: '/',
      absoluteTimeoutSec: 3600,
      idleTimeoutSec: 2,
      isPermanent: true,
    });
    const inHeader = sessionOf({ sessionName: 'X-Session', type: 'Header' }).session;
    assert.deepEqual([inHeader?.name, inHeader?.isHeader, inHeader?.isPermanent], ['x-session', true, false]);
    assert.match(sessionOf({}).session?.name ?? '', /^session-[0-9a-f]{8}$/);
    assert.equal(oneRule({ backendRefs: [ref] }).forward('web').session, undefined);
  });

  it('keeps clients to their endpoints as labels of the service say', () => {
    const sessionOf = (labels: Record<string, string>) => {
      const meta = { labels: { 'istio.io/use-waypoint': 'wp', ...labels } };
      const { model } = new RouteMesh([boundService('web', {}, meta)]);
      const stored = model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get('demo/web.demo.svc.cluster.local');
      const session = stored && ServiceRoutes.decode(stored.value).session;
      return {
        session: session && [session.name, session.isHeader, session.path],
        note: model.notes.get('Service/demo/web'),
      };
    };
    const cookie = 'istio.io/persistent-session';
    assert.deepEqual(sessionOf({ [cookie]: 'sid:/cart' }).session, ['sid', false, '/cart']);
    assert.deepEqual(sessionOf({ [cookie]: 'sid' }).session, ['sid', false, '/']);
    assert.deepEqual(sessionOf({ 'istio.io/persistent-session-header': 'X-Sid' }).session, ['x-sid', true, '']);
    assert.equal(sessionOf({}).session, undefined);
    for (const labels of [{ [cookie]: 'a:b' }, { 'istio.io/persistent-session-header': 'Host' }]) {
      const { session, note } = sessionOf(labels);
      assert.equal(session, undefined);
      assert.match(note ?? '', /^label istio\.io\/persistent-session.* has no effect/);
    }
  });

  it('mirrors to every backend that is there', () => {
    const mirror = (name: string, percent: number) => ({
      type: 'RequestMirror',
      requestMirror: { backendRef: { name, port: 80 }, percent },
    });
    const filters = [mirror('web', 10), mirror('gone', 50), mirror('web', 100)];
    const { mirrors } = oneRule({ filters, backendRefs: [ref] }).forward('web');
    assert.deepEqual(
      mirrors.map(({ backend, sharePpm }) => [backend?.hostname, sharePpm]),
      [
        ['web.demo.svc.cluster.local', 100_000],
        ['web.demo.svc.cluster.local', 1_000_000],
      ],
    );
  });

  it('answers preflights by the rules of CORS, kept for 5 s unless told otherwise', () => {
    const cors = { allowOrigins: ['https://a.org', '*', 'https://*.b.org'], allowMethods: ['GET'] };
    const route = oneRule({ filters: [{ type: 'CORS', cors }], backendRefs: [ref] }).ports('web')[0]?.http[0];
    assert.deepEqual(
      route?.cors?.allowOrigins.map(({ kind }) => kind),
      [
        { $case: 'exact', exact: 'https://a.org' },
        { $case: 'present', present: true },
        { $case: 'regex', regex: 'https\\:\\/\\/[^/:]+\\.b\\.org' },
      ],
    );
    assert.deepEqual([route?.cors?.maxAgeSec, route?.cors?.allowMethods], [5, ['GET']]);
  });

  it('answers 500 where it has a filter that is not supported, and other rules hold', () => {
    const filters = [{ type: 'ExtensionRef', extensionRef: {} }];
    const rules = [{ filters, backendRefs: [ref] }, ...onPath('/a')];
    const mesh = new RouteMesh([web, httpRoute('r', toService('web'), rules)]);
    assert.deepEqual(
      mesh.ports('web')[0]?.http.map(({ action }) => action?.$case),
      ['forward', 'directResponse'],
    );
  });
});

describe('times and retries of a rule', () => {
  const DEFAULT = {
    attempts: 2,
    perTryTimeoutMs: 0,
    conditions: ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'],
    statusCodes: [],
    backoffMs: 25,
    keepPreviousHosts: false,
    leavePriorities: false,
  };

  it('are no timeout and two retries of what never reached the backend, where the rule says nothing', () => {
    const { timeoutMs, retry } = oneRule({ backendRefs: [ref] }).forward('web');
    assert.deepEqual([timeoutMs, retry], [0, DEFAULT]);
  });

  it('bound each try where retries are given, else the request', () => {
    const timeouts = { request: '10s', backendRequest: '2s' };
    const alone = oneRule({ timeouts }).forward('web');
    assert.deepEqual([alone.timeoutMs, alone.retry?.perTryTimeoutMs], [2000, 0]);
    const retry = { codes: [503], attempts: 3, backoff: '100ms' };
    const both = oneRule({ timeouts, retry }).forward('web');
    assert.deepEqual(
      [both.timeoutMs, both.retry],
      [10_000, { ...DEFAULT, attempts: 3, perTryTimeoutMs: 2000, statusCodes: [503], backoffMs: 100 }],
    );
    assert.deepEqual(oneRule({ retry: {} }).forward('web').retry, DEFAULT);
  });

  it('are off at 0s', () => {
    assert.equal(oneRule({ timeouts: { request: '0s' } }).forward('web').timeoutMs, 0);
  });
});

describe('routes of connections', () => {
  const tcp = (name: string, backendRefs: Json[], meta: Json = {}, parent: Json = {}) =>
    object(
      `${GATEWAY_API}/v1`,
      'TCPRoute',
      name,
      { parentRefs: [toService('web', parent)], rules: [{ backendRefs }] },
      meta,
    );

  it('share them between backends; the oldest route holds', () => {
    const mesh = new RouteMesh([
      web,
      tcp('new', [ref], { creationTimestamp: '2026-01-02T00:00:00Z' }),
      tcp(
        'old',
        [
          { ...ref, weight: 9 },
          { name: 'gone', port: 1 },
        ],
        { creationTimestamp: '2026-01-01T00:00:00Z' },
      ),
    ]);
    const [routes] = mesh.ports('web');
    assert.deepEqual([routes?.hasTcp, routes?.hasHttp], [true, false]);
    assert.deepEqual(
      routes?.tcp.map(({ weight, backend }) => [weight, backend?.hostname]),
      [
        [9, 'web.demo.svc.cluster.local'],
        [1, undefined],
      ],
    );
  });

  it('stand beside those of requests, and refuse connections when they have no backends', () => {
    const mesh = new RouteMesh([web, tcp('t', [], {}, { port: 80 }), httpRoute('h', toService('web'), onPath('/'))]);
    assert.deepEqual(
      mesh.ports('web').map(({ port, hasHttp, hasTcp, tcp: backends }) => [port, hasHttp, hasTcp, backends.length]),
      [
        [0, true, false, 0],
        [80, true, true, 1],
      ],
    );
    assert.equal(mesh.ports('web')[1]?.tcp[0]?.backend, undefined);
  });
});

describe('backends', () => {
  const rules = [{ backendRefs: [{ name: 'shop', namespace: 'far', port: 80 }] }];
  const far = service('shop', {}, { namespace: 'far' });
  const found = (mesh: RouteMesh) => mesh.forward('web').backends[0]?.backend;

  it('of another namespace need its consent, whichever comes first', () => {
    const mesh = new RouteMesh([web, httpRoute('r', toService('web'), rules), far]);
    assert.equal(found(mesh), undefined);
    mesh.add(referenceGrant('far', 'demo', { name: 'other' }));
    assert.equal(found(mesh), undefined);
    mesh.add(referenceGrant('far', 'demo', { name: 'shop' }));
    assert.equal(found(mesh)?.hostname, 'shop.far.svc.cluster.local');
    mesh.add(referenceGrant('far', 'elsewhere'));
    assert.equal(found(mesh), undefined);
    mesh.add(referenceGrant('far', 'demo'));
    assert.equal(found(mesh)?.namespace, 'far');
    mesh.remove(far);
    assert.equal(found(mesh), undefined);
  });

  it('may be ServiceEntries and host names, and come and go with them', () => {
    const entry = object('networking.istio.io/v1', 'ServiceEntry', 'ext', {
      hosts: ['a.org'],
      ports: [{ number: 80, name: 'http' }],
      resolution: 'DNS',
    });
    const group = 'networking.istio.io';
    const mesh = oneRule({
      backendRefs: [
        { group, kind: 'ServiceEntry', name: 'ext' },
        { group, kind: 'Hostname', name: 'A.org', port: 80 },
        { group, kind: 'Hostname', name: 'late.demo.svc.cluster.local', port: 80 },
      ],
    });
    const hosts = () =>
      mesh.forward('web').backends.map(({ backend }) => backend && `${backend.hostname}:${backend.port}`);
    assert.deepEqual(hosts(), [undefined, undefined, undefined]);
    mesh.add(entry, service('late'));
    assert.deepEqual(hosts(), ['a.org:0', 'a.org:80', 'late.demo.svc.cluster.local:80']);
    mesh.remove(entry);
    assert.deepEqual(hosts(), [undefined, undefined, 'late.demo.svc.cluster.local:80']);
  });

  it('need a port that the service has', () => {
    const mesh = oneRule({ backendRefs: [{ name: 'web', port: 81 }] });
    assert.equal(found(mesh), undefined);
    mesh.add(boundService('web', TWO_PORTS));
    assert.equal(found(mesh)?.port, 81);
  });
});
