import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpRoute, StringMatch } from '../../../src/proto/gen/ambit.ts';
import { CompiledRoutes, chooseBackend, HttpRoutes } from '../../../src/routing/compile-routes.ts';
import { DEFAULT_RETRY } from '../../../src/routing/retry-policy.ts';
import { requestOf } from '../../helpers/routed-request.ts';

function route(name: string, kind?: StringMatch['kind'], fields: Partial<HttpRoute> = {}): HttpRoute {
  const path = kind && { kind, ignoreCase: false };
  return {
    name,
    match: { path, scheme: undefined, method: undefined, authority: undefined, headers: [], query: [], claims: [] },
    action: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    fault: undefined,
    cors: undefined,
    ...fields,
  };
}
const exact = (path: string): StringMatch['kind'] => ({ $case: 'exact', exact: path });
const prefix = (path: string): StringMatch['kind'] => ({ $case: 'prefix', prefix: path });
const backend = (hostname: string, weight: number) => ({
  weight,
  backend: { namespace: 'shop', hostname, port: 80, subset: '' },
  requestHeaders: undefined,
  responseHeaders: undefined,
  path: undefined,
  authority: '',
});

const PORT = { port: 0, http: [], tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace: '' };

const NOWHERE = {
  weight: 1,
  backend: undefined,
  requestHeaders: undefined,
  responseHeaders: undefined,
  path: undefined,
  authority: '',
};

describe('routes', () => {
  it('decide by the first that matches, whether an exact path or another comes first', () => {
    const routes = new HttpRoutes([
      route('early', prefix('/a/x')),
      route('exact', exact('/a')),
      route('other', exact('/a/x/y')),
      route('late', prefix('/a')),
      route('never', exact('/a')),
      route('rest'),
    ]);
    const found = (target: string) => routes.find(requestOf({ target }))?.name;
    assert.deepEqual(['/a', '/a?q', '/a/x/y', '/a/z', '/'].map(found), ['exact', 'exact', 'early', 'late', 'rest']);
  });

  it('find a path whatever the case of its escapes', () => {
    const routes = new HttpRoutes([route('exact', exact('/a%2fb')), route('prefix', prefix('/c%2f'))]);
    // Requests are normalised: their escapes are in upper case.
    assert.deepEqual(
      ['/a%2Fb', '/c%2Fd'].map((target) => routes.find(requestOf({ target }))?.name),
      ['exact', 'prefix'],
    );
  });

  it('find nothing where nothing matches', () => {
    assert.equal(new HttpRoutes([route('a', exact('/a'))]).find(requestOf({ target: '/b' })), undefined);
    assert.equal(new HttpRoutes([]).find(requestOf({})), undefined);
  });

  it('are those of the port, or of all ports', () => {
    const ports = [
      { ...PORT, tcp: [backend('a', 1)] },
      { ...PORT, port: 81, hasHttp: false, hasTcp: true, tcp: [backend('b', 1)] },
    ];
    const routes = new CompiledRoutes({ ports, session: undefined });
    const shape = (port: number) => {
      const found = routes.of(port, 'shop');
      return [found?.http !== undefined, found?.tcp?.backends.length];
    };
    assert.deepEqual(
      [shape(80), shape(81)],
      [
        [true, undefined],
        [false, 1],
      ],
    );
  });

  it('are those of the namespace of the client where it has any for the port, and of none else', () => {
    const named = (name: string) => ({ http: [route(name)], hasHttp: true });
    const ports = [
      { ...PORT, ...named('for all') },
      { ...PORT, ...named('own'), port: 80, clientNamespace: 'own' },
      { ...PORT, ...named('every port'), clientNamespace: 'every' },
    ];
    const routes = new CompiledRoutes({ ports, session: undefined });
    const found = (port: number, client?: string) => routes.of(port, client)?.http?.find(requestOf({}))?.name;
    assert.deepEqual(
      [found(80), found(80, ''), found(80, 'other'), found(80, 'own'), found(81, 'own'), found(81, 'every')],
      ['for all', 'for all', 'for all', 'own', 'for all', 'every port'],
    );
    const onlyOwn = new CompiledRoutes({ ports: ports.slice(1, 2), session: undefined });
    assert.deepEqual([onlyOwn.of(80, 'own') !== undefined, onlyOwn.of(80, 'other')], [true, undefined]);
  });

  it('of a namespace for HTTP or for connections alone leave what there is for all of the other kind', () => {
    const ports = [
      { ...PORT, http: [route('for all')], tcp: [NOWHERE], hasTcp: true },
      { ...PORT, port: 80, hasHttp: false, tcp: [NOWHERE, NOWHERE], hasTcp: true, clientNamespace: 'tcp' },
      { ...PORT, port: 80, http: [route('own')], clientNamespace: 'http' },
    ];
    const routes = new CompiledRoutes({ ports, session: undefined });
    const held = (client: string) => {
      const { http, tcp } = routes.of(80, client) ?? {};
      return [http?.find(requestOf({}))?.name, tcp?.backends.length];
    };
    assert.deepEqual(
      [held('other'), held('tcp'), held('http')],
      [
        ['for all', 1],
        ['for all', 2],
        ['own', 1],
      ],
    );
  });

  it('of a namespace have regular expressions of their own, and take none from others', () => {
    const many = (prefix: string, clientNamespace: string) => ({
      ...PORT,
      clientNamespace,
      http: Array.from({ length: 900 }, (_, index) =>
        route(`${index}`, { $case: 'regex', regex: `/${prefix}${index}` }),
      ),
      hasHttp: true,
    });
    const ports = [many('a', ''), many('b', 'one'), many('c', 'two')];
    const routes = new CompiledRoutes({ ports, session: undefined });
    assert.equal(routes.of(80, 'two')?.http?.find(requestOf({ target: '/c899' }))?.name, '899');
  });

  it('of a namespace that cannot be compiled are answered with 503 there, and leave those for all as they are', () => {
    const http = Array.from({ length: 1001 }, (_, index) => route(`${index}`, { $case: 'regex', regex: `/${index}` }));
    const ports = [
      { ...PORT, http: [route('for all')] },
      { ...PORT, port: 80, http, clientNamespace: 'own' },
    ];
    const routes = new CompiledRoutes({ ports, session: undefined });
    const found = (client: string) => routes.of(80, client)?.http?.find(requestOf({ target: '/1' }));
    const { name, action } = found('own') ?? {};
    assert.match(name ?? '', /^unusable routes: more than 1000 regular expressions/);
    assert.deepEqual(action?.kind === 'forward' && [action.plan.backends, action.plan.missingStatus], [[], 503]);
    assert.equal(found('other')?.name, 'for all');
  });

  it('have the sessions of their service, which has them without a route, too', () => {
    const session = {
      name: 's',
      isHeader: false,
      path: '/',
      absoluteTimeoutSec: 0,
      idleTimeoutSec: 0,
      isPermanent: false,
    };
    const routes = new CompiledRoutes({ ports: [{ ...PORT, port: 80 }], session });
    assert.deepEqual([routes.of(80, undefined)?.session, routes.of(81, undefined)?.session], [session, session]);
    assert.equal(routes.of(81, undefined)?.http, undefined);
  });

  it('say 301 for a redirect and 503 for a missing backend where they say nothing', () => {
    const redirect = {
      scheme: 'https',
      authority: '',
      port: 0,
      path: undefined,
      status: 0,
      portChoice: 0 as const,
    };
    const routes = new HttpRoutes([
      route('redirect', exact('/r'), { action: { $case: 'redirect', redirect } }),
      route('forward', undefined),
    ]);
    const redirected = routes.find(requestOf({ target: '/r' }))?.action;
    assert.ok(redirected?.kind === 'redirect');
    assert.equal(redirected.status, 301);
    const forwarded = routes.find(requestOf({}))?.action;
    assert.ok(forwarded?.kind === 'forward');
    assert.equal(forwarded.plan.missingStatus, 503);
    assert.equal(forwarded.plan.retry, DEFAULT_RETRY);
  });
});

describe('the backends of a route', () => {
  const planOf = (...weights: number[]) => {
    const forward = {
      backends: weights.map((weight, index) => backend(`b${index}`, weight)),
      path: undefined,
      authority: '',
      timeoutMs: 0,
      retry: undefined,
      mirrors: [],
      missingStatus: 500,
      session: undefined,
    };
    const action = new HttpRoutes([route('r', undefined, { action: { $case: 'forward', forward } })]).find(
      requestOf({}),
    )?.action;
    assert.ok(action?.kind === 'forward');
    return action.plan;
  };
  const chosen = (plan: ReturnType<typeof planOf>, random: number) => chooseBackend(plan, random)?.backend?.hostname;

  it('share by weight', () => {
    const plan = planOf(90, 10);
    assert.deepEqual(
      [0, 0.5, 0.899, 0.9, 0.9999].map((random) => chosen(plan, random)),
      ['b0', 'b0', 'b0', 'b1', 'b1'],
    );
  });

  it('get nothing with weight 0', () => {
    assert.deepEqual(
      [0, 0.5, 1].map((random) => chosen(planOf(0, 5, 0), random)),
      ['b1', 'b1', 'b1'],
    );
    assert.equal(chosen(planOf(0, 0), 0.5), undefined);
    assert.equal(chosen(planOf(), 0.5), undefined);
  });
});
