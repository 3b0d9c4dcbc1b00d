import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import { EVERYTHING, type RequestPolicy } from '../../../src/authz/request-policy.ts';
import { ok } from '../../../src/base/result.ts';
import type { HttpHeader, HttpStreamHandler } from '../../../src/http/http-stream.ts';
import { createPolicyTally } from '../../../src/model/policy-tally.ts';
import { HttpForward, type HttpRoute } from '../../../src/proto/gen/ambit.ts';
import { CompiledRoutes } from '../../../src/routing/compile-routes.ts';
import type { CheckOutcome } from '../../../src/waypoint/external-authorization/external-authorization.ts';
import { handleRequest } from '../../../src/waypoint/http-exchange.ts';
import { exchangeContext, exchangeDeps } from '../../helpers/exchange-fixture.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';

const HEADERS: readonly HttpHeader[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'cart'],
  [':path', '/'],
  ['x-role', 'guest'],
];
/** What the provider of the owner writes for the owner's endpoints. */
const ALLOWED: CheckOutcome = {
  kind: 'allowed',
  request: { edits: [{ name: 'x-pass', value: 'internal', how: 'set' }], remove: ['x-role'] },
  response: { edits: [], remove: [] },
  reroute: false,
};
const backend = (namespace: string, hostname: string) => ({ namespace, hostname, port: 80, subset: '' });

function routeTo(to: ReturnType<typeof backend>, mirror: ReturnType<typeof backend>): HttpRoute {
  const weighted = { weight: 1, backend: to, requestHeaders: undefined, responseHeaders: undefined };
  const forward = HttpForward.create({
    backends: [{ ...weighted, path: undefined, authority: '' }],
    mirrors: [{ backend: mirror, sharePpm: 1_000_000 }],
  });
  const nothing = { match: undefined, requestHeaders: undefined, responseHeaders: undefined };
  return { name: 'r', ...nothing, action: { $case: 'forward', forward }, fault: undefined, cors: undefined };
}

/** What each backend of a route gets of `x-pass` and `x-role`, the mirror's last. */
async function received(clientNamespace: string, route: HttpRoute): Promise<unknown[]> {
  const sent: unknown[] = [];
  const policy = { namespace: 'shop', name: 'ask', action: 'CUSTOM', provider: 'me', dryRun: false };
  const endpoint = { workload: { uid: 'e', name: 'e', namespace: 'shop' } };
  const cluster = {
    policy: undefined,
    pick: () => ({ endpoint, done: () => undefined }),
    admitRequest: () => ({ release: () => undefined }),
  };
  const request = (headers: readonly HttpHeader[], handler: HttpStreamHandler) => {
    const upstream = new FakeHttpStream();
    upstream.setHandler(handler);
    sent.push(['x-pass', 'x-role'].map((name) => headers.find(([own]) => own === name)?.[1]));
    return ok(upstream);
  };
  const deps = exchangeDeps({
    http: { waiting: () => 0, acquire: async () => ok({ reused: false, release: () => undefined, request }) },
    clusters: { get: () => cluster },
    external: {
      find: () => ({ provider: { settings: { body: undefined } }, target: {} }),
      ask: (
        _provider: unknown,
        _connection: unknown,
        _request: unknown,
        onOutcome: (outcome: CheckOutcome) => void,
      ) => {
        onOutcome(ALLOWED);
        return () => undefined;
      },
    },
  });
  const port = { port: 80, http: [route], tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace };
  const routes = new CompiledRoutes({ ports: [port], session: undefined });
  const rules = { tally: createPolicyTally(), rules: [EVERYTHING] };
  const context = exchangeContext({
    policies: () => new RequestPolicies([{ ...policy, ...rules } as RequestPolicy]),
    routes: () => routes.of(80, clientNamespace),
  });
  const downstream = new FakeHttpStream();
  downstream.setHandler(handleRequest(downstream, HEADERS, true, context, deps));
  await new Promise((resolve) => setImmediate(resolve));
  return sent.sort();
}

it('what an authorizer adds for a service stays with it on routes of its clients, and goes along on those of its owner', async () => {
  const own = ['internal', undefined];
  const asSent = [undefined, 'guest'];
  const [cart, elsewhere] = [backend('shop', 'cart'), backend('guests', 'other')];
  assert.deepEqual(await received('guests', routeTo(elsewhere, cart)), [asSent, own].sort());
  assert.deepEqual(await received('guests', routeTo(cart, elsewhere)), [asSent, own].sort());
  assert.deepEqual(await received('', routeTo(elsewhere, elsewhere)), [own, own]);
});
