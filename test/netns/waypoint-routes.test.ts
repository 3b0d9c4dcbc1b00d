/** VirtualServices, DestinationRules and HTTPRoutes at a waypoint of `ambit up`, as people write them. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { httpRoute, ReviewsMesh } from '../helpers/reviews-mesh.ts';
import { destinationRule, SUBSETS, to, virtualService } from '../helpers/route-objects.ts';

describe('routes at a waypoint', { timeout: 115_000 }, () => {
  const lab = new ReviewsMesh();
  const { mesh, ask, many, seenBy, inForce, marker, marked } = lab;

  before(() => lab.up());
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

  it('of another namespace hold for its own clients only, and change no request', async () => {
    const parent = { group: '', kind: 'Service', name: 'reviews', namespace: 'shop' };
    const backendRefs = [{ name: 'reviews', namespace: 'shop', port: 80 }];
    const set = [{ name: 'x-route', value: 'yes' }];
    const matching = (path: string, filter: object) => ({
      matches: [{ path: { type: 'PathPrefix', value: path } }],
      filters: [filter],
      backendRefs,
    });
    const ofGuests = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'reviews', namespace: 'guests' },
      spec: {
        parentRefs: [parent],
        rules: [
          matching('/', { type: 'ResponseHeaderModifier', responseHeaderModifier: { set } }),
          matching('/changed', { type: 'RequestHeaderModifier', requestHeaderModifier: { set } }),
        ],
      },
    };
    mesh.write('routes.yaml', virtualService([marker('guests'), { route: [to('reviews')] }]), ofGuests);
    await eventually('the routes', async () => {
      const [own, guest] = [await ask('/guests'), await lab.askAsGuest('/')];
      return own.body === 'guests' && guest.headers['x-route'] === 'yes';
    });
    assert.deepEqual([(await ask('/')).status, (await ask('/')).headers['x-route']], [200, undefined]);
    assert.deepEqual([(await ask('/changed')).status, (await lab.askAsGuest('/changed')).status], [200, 500]);
    assert.match((await lab.askAsGuest('/guests')).body, /^v/);
  });

  it('never lead to what listens on the waypoint itself', async () => {
    const entry = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'self', namespace: 'shop' },
      spec: {
        hosts: ['self.example'],
        ports: [{ number: 15_000, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
        endpoints: [{ address: '127.0.0.1' }],
      },
    };
    const backend = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'self', port: 15_000 };
    mesh.write('routes.yaml', entry, httpRoute([{ backendRefs: [backend] }]));
    await eventually('the route', async () => (await ask('/status')).status !== 200);
    assert.match((await ask('/status')).body, /^upstream connect error .*connection failure/);
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
