/** Which endpoints requests go to at a waypoint of `ambit up`, and when they are sent again. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { httpRoute, ReviewsMesh, service } from '../helpers/reviews-mesh.ts';
import { destinationRule, SUBSETS, to, virtualService } from '../helpers/route-objects.ts';

describe('routes and traffic policies at a waypoint', { timeout: 115_000 }, () => {
  const lab = new ReviewsMesh();
  const { mesh, ask, many, seenBy, firstOf, inForce, marker, marked } = lab;

  before(() => lab.up());
  afterEach(() => mesh.remove('routes.yaml'));
  after(() => mesh[Symbol.asyncDispose]());

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

  it('try again elsewhere after two tries in the zone of the waypoint', async () => {
    const retries = { attempts: 5, retryOn: '5xx', retryIgnorePreviousHosts: false, retryRemoteLocalities: true };
    const rule = { route: [to('places')], retries };
    const trafficPolicy = { outlierDetection: { consecutive5xxErrors: 100 } };
    const places = destinationRule({ host: 'places', trafficPolicy });
    await marked('remote', virtualService([marker('remote'), rule]), places);
    const answer = await ask('/?fail=2&id=p1');
    assert.equal(answer.status, 200);
    const calls = async (host: string) => (await ask('/calls?of=p1', { host })).body;
    const far = answer.body === 'place1' ? 'place2' : 'place1';
    assert.deepEqual([await calls(answer.body), await calls(far)], ['3', '2']);
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
});
