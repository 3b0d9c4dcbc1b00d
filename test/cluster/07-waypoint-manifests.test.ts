/** The manifests that people bring along, unchanged, in each version of their APIs. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { apply, kubectl, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  accountObject,
  deleteNamespace,
  namespaceObject,
  podObject,
  serviceObject,
} from '../helpers/cluster-objects.ts';
import { GatewayCrd, gatewayObject, programmed } from '../helpers/gateway-crd.ts';
import { JwtIssuer } from '../helpers/jwt-issuer.ts';
import {
  type Answer,
  ASK_MANY,
  ASK_ONCE,
  type Counts,
  destinationRule,
  ROUTES_NS as NS,
  ROUTES_SERVER,
  SUBSETS,
  to,
  virtualService,
} from '../helpers/route-objects.ts';

const EXAMPLE = new URL('../../examples/canary/', import.meta.url).pathname;
const KINDS = 'virtualservice,destinationrule,authorizationpolicy,requestauthentication,peerauthentication';

function policy(kind: string, name: string, spec: object, version: string): object {
  return { apiVersion: `security.istio.io/${version}`, kind, metadata: { name, namespace: NS }, spec };
}

function serverObject(version: string): object {
  const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const options = { labels: { app: 'reviews', version }, container: { readinessProbe }, spec: { volumes: [] } };
  const container = { ...options.container, volumeMounts: [] };
  return podObject(NS, `reviews-${version}`, ['node', '-e', ROUTES_SERVER, version], { ...options, container });
}

const targetRefs = [{ group: '', kind: 'Service', name: 'reviews' }];

describe('behind a waypoint on a cluster', () => {
  const crd = new GatewayCrd();
  const inClient = async (script: string, ...args: readonly string[]) =>
    podExec(NS, 'client', ['node', '-e', script, ...args]);
  const ask = async (path = '/', headers: object = {}, method = 'GET', host = 'reviews') =>
    JSON.parse(await inClient(ASK_ONCE, `http://${host}${path}`, method, JSON.stringify(headers), '')) as Answer;
  const many = async (count: number, path = '/', headers: object = {}) =>
    JSON.parse(await inClient(ASK_MANY, `http://reviews${path}`, String(count), JSON.stringify(headers))) as Counts;
  /** Applies, and waits until the route that answers `/NAME` with NAME is in force, and all that came with it. */
  const marked = async (name: string, http: readonly object[], version: string, ...objects: readonly object[]) => {
    const match = [{ uri: { exact: `/${name}` } }];
    const marker = { match, directResponse: { status: 200, body: { string: name } } };
    await apply(...objects, virtualService([marker, ...http], version));
    await until(name, async () => (await ask(`/${name}`)).body === name);
  };

  before(async () => {
    await crd.ensure();
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
      accountObject(NS, 'client'),
      gatewayObject(NS, 'gate'),
      serverObject('v1'),
      serverObject('v2'),
      serviceObject(NS, 'reviews', { selector: { app: 'reviews' } }),
      podObject(NS, 'client', ['sleep', 'infinity'], {
        account: 'client',
        container: { volumeMounts: [] },
        spec: { volumes: [] },
      }),
      podObject(NS, 'stranger', ['sleep', 'infinity'], { container: { volumeMounts: [] }, spec: { volumes: [] } }),
    );
    await programmed(NS, 'gate');
    await podsReady(NS);
    await until('an answer', async () => (await ask()).status === 200);
  });
  afterEach(() => kubectl(['delete', KINDS, '--all', '-n', NS]));
  after(async () => {
    await deleteNamespace(NS);
    await crd.restore();
  });

  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    it(`a tenth of the requests goes to a canary by subset, and testers always do, in ${version}`, async () => {
      const testers = {
        match: [{ headers: { 'x-user': { exact: 'tester' } } }],
        route: [to('reviews', { subset: 'v2' })],
      };
      const route = [
        { ...to('reviews', { subset: 'v1' }), weight: 90 },
        { ...to('reviews', { subset: 'v2' }), weight: 10 },
      ];
      await marked(`canary-${version}`, [testers, { route }], version, destinationRule(SUBSETS, version));
      const { seen } = await many(3000);
      assert.deepEqual(Object.keys(seen).sort(), ['200 v1', '200 v2']);
      // Five standard deviations of a binomial distribution.
      assert.ok(Math.abs((seen['200 v2'] ?? 0) - 300) < 82, JSON.stringify(seen));
      assert.deepEqual((await many(50, '/', { 'x-user': 'tester' })).seen, { '200 v2': 50 });
    });

    it(`a timeout ends what hangs and retries mend what fails, in ${version}`, async () => {
      const hanging = { match: [{ uri: { prefix: '/slow' } }], route: [to('reviews')], timeout: '500ms' };
      const retries = { attempts: 3, perTryTimeout: '2s', retryOn: 'gateway-error,connect-failure,refused-stream' };
      const route = [to('reviews', { subset: 'v1' })];
      await marked(`retries-${version}`, [hanging, { route, retries }], version, destinationRule(SUBSETS, version));
      const slow = await ask('/slow?delay=5000');
      assert.deepEqual([slow.status, slow.body], [504, 'upstream request timeout']);
      assert.equal((await ask(`/?fail=3&id=mended-${version}`)).status, 200);
      assert.equal((await ask(`/?fail=9&id=lost-${version}`)).status, 503);
    });

    it(`five of a hundred requests are aborted and ten delayed, in ${version}`, async () => {
      const fault = {
        abort: { percentage: { value: 5 }, httpStatus: 500 },
        delay: { percentage: { value: 10 }, fixedDelay: '300ms' },
      };
      await marked(`faults-${version}`, [{ fault, route: [to('reviews')] }], version);
      const { seen, slow } = await many(1000);
      assert.ok(Math.abs((seen['500 fault filter abort'] ?? 0) - 50) < 35, JSON.stringify(seen));
      assert.ok(slow > 50, `${slow} of 1000 were slow`);
    });

    it(`a circuit breaker sheds what is too much, in ${version}`, async () => {
      const connectionPool = { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1, http2MaxRequests: 2 } };
      const outlierDetection = {
        consecutive5xxErrors: 1,
        interval: '1s',
        baseEjectionTime: '3m',
        maxEjectionPercent: 100,
      };
      const rule = destinationRule({ trafficPolicy: { connectionPool } }, version);
      await marked(`breaker-${version}`, [{ route: [to('reviews')] }], version, rule);
      const { seen } = await many(40, '/?delay=200');
      const overflow = '503 upstream connect error or disconnect/reset before headers. reset reason: overflow';
      assert.ok((seen[overflow] ?? 0) > 10, JSON.stringify(seen));
      await apply(destinationRule({ trafficPolicy: { outlierDetection } }, version));
      await until('the ejection of both', async () => {
        await ask('/?fail=9&id=ejected');
        return (await ask()).body === 'no healthy upstream';
      });
    });
  }

  for (const version of ['v1', 'v1beta1']) {
    it(`STRICT and ALLOW by account, method and path hold, in ${version}`, async () => {
      const principals = [`cluster.local/ns/${NS}/sa/client`];
      await apply(
        policy('PeerAuthentication', 'default', { mtls: { mode: 'STRICT' } }, version),
        policy(
          'AuthorizationPolicy',
          'readers',
          {
            targetRefs,
            action: 'ALLOW',
            rules: [
              {
                from: [{ source: { principals } }],
                to: [{ operation: { methods: ['GET'], paths: ['/info*', '*/reviews'] } }],
              },
            ],
          },
          version,
        ),
      );
      await until('the policy', async () => (await ask('/other')).status === 403);
      assert.equal((await ask('/other')).body, 'RBAC: access denied');
      assert.equal((await ask('/info/1')).status, 200);
      assert.equal((await ask('/all/reviews')).status, 200);
      assert.equal((await ask('/info/1', {}, 'POST')).status, 403);
      const other = ['node', '-e', ASK_ONCE, 'http://reviews/info/1', 'GET', '{}', ''];
      assert.equal((JSON.parse(await podExec(NS, 'stranger', other)) as Answer).status, 403);
    });

    it(`a token is asked for and verified, in ${version}`, async () => {
      const issuer = await JwtIssuer.create('https://issuer.example', 'RS256');
      const stranger = await JwtIssuer.create('https://issuer.example', 'RS256');
      const jwtRules = [{ issuer: issuer.name, jwks: issuer.jwks }];
      const requestPrincipals = [`${issuer.name}/*`];
      await apply(
        policy('RequestAuthentication', 'tokens', { targetRefs, jwtRules }, version),
        policy(
          'AuthorizationPolicy',
          'tokens',
          { targetRefs, action: 'ALLOW', rules: [{ from: [{ source: { requestPrincipals } }] }] },
          version,
        ),
      );
      const bearer = async (by: JwtIssuer) => ({ authorization: `Bearer ${await by.sign({ sub: 'ann' })}` });
      await until('the rules', async () => (await ask()).status === 403);
      await until('the keys', async () => (await ask('/', await bearer(stranger))).status === 401);
      assert.equal((await ask('/', await bearer(issuer))).status, 200);
    });
  }
});

describe('the example of a canary on a cluster', () => {
  const crd = new GatewayCrd();
  before(() => crd.ensure());
  after(async () => {
    await deleteNamespace('canary');
    await crd.restore();
  });

  it('does what its README says', async () => {
    for (const file of ['reviews', 'routes', 'policy']) await kubectl(['apply', '-f', `${EXAMPLE}${file}.yaml`]);
    await programmed('canary', 'waypoint');
    await podsReady('canary');
    const curl = (...args: readonly string[]) =>
      podExec('canary', 'reader', ['curl', '-s', '-m', '10', '-w', '%{http_code}', ...args]);
    const url = 'http://reviews/reviews/1';
    await until('an answer', async () => (await curl(url)).endsWith('200'));
    assert.equal(await curl('-H', 'x-user: tester', url), 'reviews v2\n200');
    assert.equal(await curl('-X', 'POST', url), 'RBAC: access denied403');
    assert.equal(await curl('http://reviews/other'), 'RBAC: access denied403');
    const seen = await podExec('canary', 'reader', [
      'sh',
      '-c',
      `for i in $(seq 300); do curl -s ${url}; done | sort | uniq -c`,
    ]);
    const [v1 = 0, v2 = 0] = [/(\d+) reviews v1/, /(\d+) reviews v2/].map((of) => Number(of.exec(seen)?.[1] ?? 0));
    assert.equal(v1 + v2, 300, seen);
    // Five standard deviations of a binomial distribution.
    assert.ok(Math.abs(v2 - 30) < 26, seen);
  });
});
