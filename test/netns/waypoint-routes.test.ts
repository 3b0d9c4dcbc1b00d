/** VirtualServices, DestinationRules and HTTPRoutes at a waypoint of `ambit up`, as people write them. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';
import {
  type Answer,
  ASK_MANY,
  ASK_ONCE,
  type Counts,
  destinationRule,
  ROUTES_SERVER,
  SUBSETS,
  to,
  virtualService,
} from '../helpers/route-objects.ts';

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'shop' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function service(name: string, selector: Record<string, string>): object {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { selector, ports } };
}

function pod(name: string, labels: Record<string, string>, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'client' ? undefined : { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'shop', labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

function httpRoute(rules: readonly object[]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'reviews', namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'reviews' }], rules },
  };
}

describe('routes at a waypoint', { timeout: 115_000 }, () => {
  const mesh = new LocalMesh();
  const inClient = async (script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await mesh.exec('client', '-n', 'shop', '--', 'node', '-e', script, ...args);
    assert.equal(stderr.trim(), '');
    return stdout.trim();
  };
  const ask = async (path: string, { method = 'GET', headers = {}, body = '', host = 'reviews' } = {}) =>
    JSON.parse(await inClient(ASK_ONCE, `http://${host}${path}`, method, JSON.stringify(headers), body)) as Answer;
  const many = async (count: number, path = '/', headers = {}) =>
    JSON.parse(await inClient(ASK_MANY, `http://reviews${path}`, String(count), JSON.stringify(headers))) as Counts;
  const seenBy = ({ headers }: Answer) =>
    JSON.parse(headers['x-seen'] ?? '{}') as { path: string; headers: Record<string, string>; body: string };
  /** The first answer without a session that comes from this version. */
  const firstOf = async (version: string, path: string) => {
    let answer = await ask(path);
    await eventually(`an answer of ${version}`, async () => {
      answer = await ask(path);
      return answer.body === version;
    });
    return answer;
  };
  /** Writes the objects, and waits until a request with this path is answered as wanted. */
  const inForce = async (path: string, wanted: (answer: Answer) => boolean, ...objects: readonly object[]) => {
    mesh.write('routes.yaml', ...objects);
    await eventually('the routes', async () => wanted(await ask(path)));
  };
  /** A direct response on a path of its own tells that the objects of this test are in force. */
  const marker = (name: string) => ({
    match: [{ uri: { exact: `/${name}` } }],
    directResponse: { status: 200, body: { string: name } },
  });
  const marked = (name: string, ...objects: readonly object[]) =>
    inForce(`/${name}`, ({ body }) => body === name, ...objects);

  before(async () => {
    mesh.write(
      'mesh.yaml',
      namespace,
      gateway,
      service('reviews', { app: 'reviews' }),
      service('reviews-v2', { app: 'reviews', version: 'v2' }),
      service('watcher', { app: 'watcher' }),
    );
    const server = (name: string) => ['node', '-e', ROUTES_SERVER, name];
    mesh.write(
      'pods.yaml',
      pod('reviews-v1', { app: 'reviews', version: 'v1' }, 'node2', server('v1')),
      pod('reviews-v2', { app: 'reviews', version: 'v2' }, 'node2', server('v2')),
      pod('watcher', { app: 'watcher' }, 'node2', server('watcher')),
      pod('client', { app: 'client' }, 'node1', ['sleep', 'infinity']),
    );
    await mesh.up(5, '--nodes', '2');
    await eventually('an answer', async () => (await ask('/')).status === 200);
  });
  afterEach(() => mesh.remove('routes.yaml'));
  after(() => mesh[Symbol.asyncDispose]());

  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    it(`send a tenth of the requests to a canary by subset, in ${version}`, async () => {
      const route = [
        { ...to('reviews', { subset: 'v1' }), weight: 90 },
        { ...to('reviews', { subset: 'v2' }), weight: 10 },
      ];
      const name = `canary-${version}`;
      await marked(name, virtualService([marker(name), { route }], version), destinationRule(SUBSETS, version));
      const { seen } = await many(2000);
      assert.deepEqual(Object.keys(seen).sort(), ['200 v1', '200 v2']);
      // Five standard deviations of a binomial distribution.
      assert.ok(Math.abs((seen['200 v2'] ?? 0) - 200) < 67, JSON.stringify(seen));
    });
  }

  it('send testers to the new version by a header', async () => {
    const tester = {
      match: [{ headers: { 'x-user': { exact: 'tester' } } }],
      route: [to('reviews', { subset: 'v2' })],
    };
    await marked(
      'testers',
      virtualService([marker('testers'), tester, { route: [to('reviews', { subset: 'v1' })] }]),
      destinationRule(SUBSETS),
    );
    assert.deepEqual((await many(50, '/', { 'x-user': 'tester' })).seen, { '200 v2': 50 });
    assert.deepEqual((await many(50)).seen, { '200 v1': 50 });
  });

  it('answer 503 for a subset that is not there, and for one without endpoints', async () => {
    const rule = destinationRule({ subsets: [...SUBSETS.subsets, { name: 'v3', labels: { version: 'v3' } }] });
    const none = { match: [{ uri: { exact: '/none' } }], route: [to('reviews', { subset: 'v4' })] };
    await marked(
      'missing',
      virtualService([marker('missing'), none, { route: [to('reviews', { subset: 'v3' })] }]),
      rule,
    );
    const missing = await ask('/none');
    assert.deepEqual([missing.status, missing.body], [503, '']);
    const empty = await ask('/');
    assert.deepEqual([empty.status, empty.body], [503, 'no healthy upstream']);
    assert.ok(
      /response_code=503 response_flags="NC" response_code_details="cluster_not_found"/.test(mesh.log(/_gate-/)),
    );
  });

  it('try again what failed, with the same body, and give up after the last try', async () => {
    const retries = { attempts: 3, retryOn: '5xx', perTryTimeout: '2s' };
    await marked('retries', virtualService([marker('retries'), { route: [to('reviews-v2')], retries }]));
    const answer = await ask('/?fail=3&id=r1', { method: 'POST', body: 'hello' });
    assert.deepEqual([answer.status, seenBy(answer).body], [200, 'hello']);
    assert.equal((await ask('/?fail=9&id=r2')).status, 503);
    assert.equal((await ask('/calls?of=r2', { host: 'reviews-v2' })).body, '4');
  });

  it('try again only as often as the retry budget of the service allows', async () => {
    const retries = { attempts: 3, retryOn: '5xx', retryRemoteLocalities: true };
    const rule = { route: [to('reviews')], retries };
    const budget = (percent: number) =>
      destinationRule({ trafficPolicy: { retryBudget: { percent, minRetryConcurrency: 0 } } });
    await marked('budget', virtualService([marker('budget'), rule]), budget(0));
    assert.equal((await ask('/?fail=1&id=b1')).status, 503);
    await marked('spent', virtualService([marker('spent'), rule]), budget(100));
    assert.equal((await ask('/?fail=1&id=b2')).status, 200);
  });

  it('end requests that take too long, and tries that do', async () => {
    await marked(
      'timeouts',
      virtualService([
        marker('timeouts'),
        {
          match: [{ uri: { prefix: '/try' } }],
          route: [to('reviews-v2')],
          timeout: '5s',
          retries: { attempts: 1, perTryTimeout: '100ms', retryOn: 'reset' },
        },
        { route: [to('reviews-v2')], timeout: '300ms' },
      ]),
    );
    const slow = await ask('/?delay=2000');
    assert.deepEqual([slow.status, slow.body], [504, 'upstream request timeout']);
    assert.equal((await ask('/?delay=10')).status, 200);
    assert.equal((await ask('/try?delay=3000&id=t1')).status, 504);
    assert.equal((await ask('/calls?of=t1', { host: 'reviews-v2' })).body, '2');
  });

  it('make up faults for a share of the requests', async () => {
    const fault = {
      abort: { percentage: { value: 5 }, httpStatus: 418 },
      delay: { percentage: { value: 10 }, fixedDelay: '300ms' },
    };
    await marked('faults', virtualService([marker('faults'), { fault, route: [to('reviews-v2')] }]));
    const { seen, slow } = await many(1000);
    assert.ok(Math.abs((seen['418 fault filter abort'] ?? 0) - 50) < 35, JSON.stringify(seen));
    assert.ok(slow > 50 && slow < 160, String(slow));
  });

  it('change paths, hosts and headers both ways', async () => {
    await marked(
      'changes',
      virtualService([
        marker('changes'),
        {
          match: [{ uri: { prefix: '/old/' } }],
          rewrite: { uri: '/new/', authority: 'inside.example' },
          headers: {
            request: { set: { 'x-set': 'rule' }, add: { 'x-add': 'more' }, remove: ['x-gone'] },
            response: { set: { 'x-out': 'yes' }, remove: ['x-envoy-upstream-service-time'] },
          },
          route: [{ ...to('reviews-v2'), headers: { request: { set: { 'x-backend': 'v2' } } } }],
        },
        {
          match: [{ uri: { exact: '/moved' } }],
          redirect: { uri: '/there', authority: 'other.example', redirectCode: 308 },
        },
        { route: [to('reviews')] },
      ]),
    );
    const answer = await ask('/old/a?b=c', { headers: { 'x-gone': '1', 'x-add': 'own' } });
    const seen = seenBy(answer);
    assert.equal(seen.path, '/new/a?b=c');
    const { host, 'x-set': set, 'x-add': add, 'x-gone': gone, 'x-backend': backend } = seen.headers;
    assert.deepEqual([host, set, add, gone, backend], ['inside.example', 'rule', 'own, more', undefined, 'v2']);
    assert.equal(seen.headers['x-envoy-original-path'], '/old/a?b=c');
    assert.equal(answer.headers['x-out'], 'yes');
    assert.equal(answer.headers['x-envoy-upstream-service-time'], undefined);
    const moved = await ask('/moved?x=y');
    assert.deepEqual([moved.status, moved.headers['location']], [308, 'http://other.example/there?x=y']);
  });

  it('fill in headers from the request, its client and its endpoint, and count tries', async () => {
    const request = {
      'x-client': '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      'x-caller': '%DOWNSTREAM_PEER_URI_SAN%',
      'x-what': '%PROTOCOL% %REQ(:path)% %REQ(x-none?x-user):3% 100%%',
      'x-cluster': '%UPSTREAM_CLUSTER%',
      'x-none': '%REQ(x-nothing)%',
    };
    const response = {
      'x-answer': '%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %ROUTE_NAME% %REQ(x-cluster)%',
      'x-host': '%UPSTREAM_HOST%',
      'x-time': '%START_TIME(%Y-%m-%dT%H)%',
      'x-from': '%HOSTNAME%',
    };
    const rule = {
      name: 'formats',
      headers: { request: { set: request }, response: { set: response } },
      route: [to('reviews-v2')],
      retries: { attempts: 3, retryOn: '5xx' },
    };
    await marked('formats', virtualService([marker('formats'), rule]));
    const hour = () => new Date().toISOString().slice(0, 13);
    const hours = [hour()];
    const headers = { 'x-user': 'tester', 'x-envoy-attempt-count': '9', 'x-caller': 'forged' };
    const answer = await ask('/f?id=f1&fail=2', { headers });
    hours.push(hour());
    const seen = seenBy(answer).headers;
    assert.match(seen['x-client'] ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(seen['x-caller'], 'spiffe://cluster.local/ns/shop/sa/default');
    assert.equal(seen['x-what'], 'HTTP/1.1 /f?id=f1&fail=2 tes 100%');
    const cluster = 'outbound|80||reviews-v2.shop.svc.cluster.local';
    assert.deepEqual([seen['x-cluster'], seen['x-none'], seen['x-envoy-attempt-count']], [cluster, undefined, '3']);
    assert.equal(answer.headers['x-answer'], `200 - 3 formats ${cluster}`);
    assert.match(answer.headers['x-host'] ?? '', /^[\d.]+:8080$/);
    assert.ok(hours.includes(answer.headers['x-time'] ?? ''));
    assert.match(answer.headers['x-from'] ?? '', /gate/);
  });

  it('copy requests to a watcher that nobody waits for', async () => {
    const mirrors = [{ destination: { host: 'watcher' } }, { destination: { host: 'nobody' } }];
    await marked('mirrors', virtualService([marker('mirrors'), { route: [to('reviews-v2')], mirrors }]));
    const answer = await ask('/?id=m1&delay=0', { method: 'POST', body: 'copy me' });
    assert.deepEqual([answer.status, answer.body], [200, 'v2']);
    await eventually('the copy', async () => (await ask('/calls?of=m1', { host: 'watcher' })).body === '1');
  });

  it('answer browsers that ask across origins', async () => {
    const corsPolicy = { allowOrigins: [{ exact: 'https://a.example' }], allowMethods: ['PUT'], maxAge: '1h' };
    await marked('cors', virtualService([marker('cors'), { corsPolicy, route: [to('reviews')] }]));
    const headers = { origin: 'https://a.example', 'access-control-request-method': 'PUT' };
    const preflight = await ask('/', { method: 'OPTIONS', headers });
    assert.deepEqual(
      [
        preflight.status,
        preflight.headers['access-control-allow-methods'],
        preflight.headers['access-control-max-age'],
      ],
      [200, 'PUT', '3600'],
    );
    const answer = await ask('/', { headers: { origin: 'https://a.example' } });
    assert.equal(answer.headers['access-control-allow-origin'], 'https://a.example');
  });

  it('keep callers with the same key on one endpoint', async () => {
    const trafficPolicy = { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } };
    await marked(
      'hash',
      virtualService([marker('hash'), { route: [to('reviews')] }]),
      destinationRule({ trafficPolicy }),
    );
    const users = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal'];
    const owners = new Set<string>();
    for (const user of users) {
      const { seen } = await many(20, '/', { 'x-user': user });
      assert.equal(Object.keys(seen).length, 1, `${user}: ${JSON.stringify(seen)}`);
      owners.add(Object.keys(seen)[0] ?? '');
    }
    assert.equal(owners.size, 2);
  });

  it('keep a client on its endpoint by a cookie or header, as an HTTPRoute says', async () => {
    const rule = (path: string, sessionPersistence: object) => ({
      matches: [{ path: { value: path } }],
      backendRefs: [{ name: 'reviews', port: 80 }],
      sessionPersistence,
    });
    const inCookie = rule('/cookie', { sessionName: 'sid', absoluteTimeout: '1h' });
    const inHeader = rule('/header', { sessionName: 'X-Sid', type: 'Header' });
    await inForce('/cookie', ({ headers }) => headers['set-cookie'] !== undefined, httpRoute([inCookie, inHeader]));
    for (const version of ['v1', 'v2']) {
      const first = await firstOf(version, '/cookie');
      const cookie = first.headers['set-cookie'] ?? '';
      assert.match(cookie, /^sid="[^"]+"; Path=\/; HttpOnly$/);
      const kept = { cookie: cookie.split(';')[0] ?? '' };
      assert.deepEqual((await many(30, '/cookie', kept)).seen, { [`200 ${version}`]: 30 });
      assert.equal((await ask('/cookie', { headers: kept })).headers['set-cookie'], undefined);
      const sid = (await firstOf(version, '/header')).headers['x-sid'] ?? '';
      assert.deepEqual((await many(30, '/header', { 'x-sid': sid })).seen, { [`200 ${version}`]: 30 });
    }
    const forged = await ask('/cookie', { headers: { cookie: 'sid=made-up' } });
    assert.deepEqual([forged.status, forged.headers['set-cookie'] === undefined], [200, false]);
  });

  it('keep a client on its endpoint as a label of the service says', async () => {
    const labels = { 'istio.io/persistent-session-header': 'x-keep' };
    const labelled = {
      ...service('labelled', { app: 'reviews' }),
      metadata: { name: 'labelled', namespace: 'shop', labels },
    };
    mesh.write('routes.yaml', labelled);
    const get = (headers = {}) => ask('/', { host: 'labelled', headers });
    await eventually('the session', async () => (await get()).headers['x-keep'] !== undefined);
    const { headers, body } = await get();
    for (let call = 0; call < 6; call++) {
      assert.equal((await get({ 'x-keep': headers['x-keep'] ?? '' })).body, body);
    }
  });

  it('leave out an endpoint that fails again and again', async () => {
    const trafficPolicy = {
      outlierDetection: {
        consecutive5xxErrors: 3,
        interval: '10s',
        baseEjectionTime: '60s',
        maxEjectionPercent: 100,
      },
    };
    const fail = { match: [{ uri: { prefix: '/v2' } }], route: [to('reviews', { subset: 'v2' })] };
    await marked(
      'outlier',
      virtualService([marker('outlier'), fail, { route: [to('reviews', { subset: 'v2' })] }]),
      destinationRule({ ...SUBSETS, trafficPolicy }),
    );
    for (let call = 0; call < 3; call++) assert.equal((await ask('/v2?fail=9&id=o1')).status, 503);
    assert.equal((await ask('/v2')).body, 'no healthy upstream');
  });

  it('refuse what exceeds a circuit breaker', async () => {
    const trafficPolicy = { connectionPool: { http: { http2MaxRequests: 2 } } };
    await marked(
      'breaker',
      virtualService([marker('breaker'), { route: [to('reviews')] }]),
      destinationRule({ trafficPolicy }),
    );
    const { seen } = await many(40, '/?delay=200');
    const overflow = '503 upstream connect error or disconnect/reset before headers. reset reason: overflow';
    assert.ok((seen[overflow] ?? 0) > 10, JSON.stringify(seen));
    assert.ok((seen['200 v1'] ?? 0) + (seen['200 v2'] ?? 0) >= 2, JSON.stringify(seen));
  });

  it('are those of an HTTPRoute, with 404 for what none matches', async () => {
    const modify = {
      type: 'RequestHeaderModifier',
      requestHeaderModifier: { set: [{ name: 'x-route', value: 'yes' }] },
    };
    const rewrite = {
      type: 'URLRewrite',
      urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } },
    };
    const matches = [{ path: { type: 'PathPrefix', value: '/api' } }];
    const rule = { matches, filters: [modify, rewrite], backendRefs: [{ name: 'reviews-v2', port: 80 }] };
    const broken = {
      matches: [{ path: { type: 'Exact', value: '/broken' } }],
      backendRefs: [{ name: 'nobody', port: 80 }],
    };
    await inForce('/api', ({ body }) => body === 'v2', httpRoute([rule, broken]));
    const answer = await ask('/api/items?x=1');
    assert.deepEqual(
      [answer.body, seenBy(answer).path, seenBy(answer).headers['x-route']],
      ['v2', '/items?x=1', 'yes'],
    );
    assert.equal((await ask('/other')).status, 404);
    assert.equal((await ask('/broken')).status, 500);
  });

  it('may come and go together with the subsets that they name, without a failed request', async () => {
    await marked('together', virtualService([marker('together'), { route: [to('reviews')] }]));
    const load = many(6000);
    for (let round = 0; round < 10; round++) {
      const subset = `s${round}`;
      const subsets = [{ name: subset, labels: { version: 'v2' } }];
      mesh.write('routes.yaml', virtualService([{ route: [to('reviews', { subset })] }]), destinationRule({ subsets }));
      await new Promise((resolve) => setTimeout(resolve, 150));
      mesh.write('routes.yaml', virtualService([{ route: [to('reviews')] }]));
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const { seen } = await load;
    assert.deepEqual(Object.keys(seen).sort(), ['200 v1', '200 v2'], JSON.stringify(seen));
  });

  it('change under load without a failed request', async () => {
    const weights = (share: number) => [
      { ...to('reviews', { subset: 'v1' }), weight: 100 - share },
      { ...to('reviews', { subset: 'v2' }), weight: share },
    ];
    await marked('reload', virtualService([marker('reload'), { route: weights(50) }]), destinationRule(SUBSETS));
    const load = many(8000);
    for (let edit = 1; edit <= 20; edit++) {
      mesh.write('routes.yaml', virtualService([{ route: weights(edit * 5) }]), destinationRule(SUBSETS));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { seen } = await load;
    assert.deepEqual(
      Object.keys(seen).filter((what) => !what.startsWith('200 ')),
      [],
      JSON.stringify(seen),
    );
  });
});
