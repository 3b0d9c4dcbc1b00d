/** Finding the route of a request at a waypoint: 5,000 routes over 50 hosts of one service, and 5,000 services with their own. */
import assert from 'node:assert/strict';
import { createService } from '../../../src/model/service.ts';
import { type HttpMatch, type HttpRoute, ServiceRoutes, type StringMatch } from '../../../src/proto/gen/ambit.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { Routes } from '../../../src/waypoint/routes.ts';
import { forwardRoute } from '../../forward-route.ts';
import { inTurns, type MicroBench } from '../suite.ts';

const COUNT = 5000;
const HOSTS = 50;
const PER_HOST = COUNT / HOSTS;

const text = (kind: StringMatch['kind']): StringMatch => ({ kind, ignoreCase: false });
const exact = (value: string) => text({ $case: 'exact', exact: value });
const pathPrefix = (value: string) => text({ $case: 'pathPrefix', pathPrefix: value });
const regex = (value: string) => text({ $case: 'regex', regex: value });

const hostOf = (index: number) => `host-${Math.floor(index / PER_HOST)}.example.com`;

type MatchOf = (index: number) => Partial<HttpMatch>;
/** What routes are told apart by. */
const KINDS: Readonly<Record<string, MatchOf>> = {
  'exact paths': (index) => ({ path: exact(`/api/v1/items/${index}`) }),
  prefixes: (index) => ({ path: pathPrefix(`/api/v1/items/${index}`) }),
  'a prefix and a header': (index) => ({
    path: pathPrefix('/api'),
    headers: [{ name: 'x-tenant', value: exact(`tenant-${index}`), invert: false }],
  }),
};
/** A request may cost so much in regular expressions that it meets no more of them. */
const REGEXES = 500;

function held(resources: readonly ServiceRoutes[]): Routes {
  const routes = new Routes();
  const encoded = resources.map((resource) => ({
    name: `${resource.namespace}/${resource.hostname}`,
    version: '1',
    aliases: [],
    bytes: ServiceRoutes.encode(resource).finish(),
  }));
  assert.deepEqual(routes.handler().apply(encoded, []), []);
  return routes;
}

function routesOf(hostname: string, http: HttpRoute[]): ServiceRoutes {
  const port = { port: 80, http, tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace: '' };
  return { namespace: 'shop', hostname, ports: [port], session: undefined };
}

const serviceOf = (hostname: string) => createService({ namespace: 'shop', hostname });

function request(index: number, hostname = hostOf(index)): RequestFields {
  return new RequestFields([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', hostname],
    [':path', `/api/v1/items/${index}?page=2`],
    ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
    ['accept', 'application/json'],
    ['x-tenant', `tenant-${index}`],
    ['x-request-id', '6f1c3a52-93c7-4a4e-8f0e-5a3d5c1e2b10'],
  ]);
}

function oneService(kind: string, count: number, matchOf: MatchOf): readonly MicroBench[] {
  const http = Array.from({ length: count }, (_, index) =>
    forwardRoute(`r${index}`, { authority: exact(hostOf(index)), ...matchOf(index) }),
  );
  const routes = held([routesOf('site', http)]);
  const service = serviceOf('site');
  const find = (asked: RequestFields) => routes.of(service, 80, 'web')?.http?.find(asked)?.name;
  const bench = (what: string, index: number, found: string | undefined): MicroBench => {
    assert.equal(find(request(index)), found);
    // A request has a budget for regular expressions, and so is not asked twice.
    return { name: `${count.toLocaleString('en')} routes, ${kind}: ${what}`, run: () => find(request(index)) };
  };
  return [
    bench('the first', 0, 'r0'),
    bench('the last', count - 1, `r${count - 1}`),
    bench('none', count + 7, undefined),
  ];
}

function ownRoutes(): MicroBench {
  const hostname = (index: number) => `s${index}.shop.svc.cluster.local`;
  const resources = Array.from({ length: COUNT }, (_, index) =>
    routesOf(hostname(index), [forwardRoute('api', { path: pathPrefix('/api') }), forwardRoute('rest', {})]),
  );
  const routes = held(resources);
  const asked = Array.from({ length: 64 }, (_, index) => serviceOf(hostname(index * 70)));
  const next = inTurns(asked);
  const find = () => routes.of(next(), 80, 'web')?.http?.find(request(1, 's1'))?.name;
  assert.equal(find(), 'api');
  return { name: '5,000 services with two routes each', run: find };
}

export function benches(): readonly MicroBench[] {
  const fields = { name: 'the request alone, which every line makes', run: () => request(1).path };
  const patterns = (index: number) => ({ path: regex(`/api/v[0-9]+/items/${index}(/.*)?`) });
  const kinds = Object.entries(KINDS).flatMap(([kind, matchOf]) => oneService(kind, COUNT, matchOf));
  return [fields, ...kinds, ...oneService('regular expressions', REGEXES, patterns), ownRoutes()];
}
