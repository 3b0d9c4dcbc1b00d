/**
 * Routes that a namespace has for its own clients, at the waypoint of another namespace's service.
 *
 * Invariants:
 * - The waypoint's policies judge a request before it is routed, and endpoints know the waypoint's identity. So nobody
 *   but who owns the service may change a request after that, or send it where its client could not: what would is
 *   answered with 500.
 */
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { Service } from '../../model/service.ts';
import type {
  Backend,
  HeaderChanges,
  HeaderValue,
  HttpForward,
  HttpRoute,
  WeightedBackend,
} from '../../proto/gen/ambit.ts';
import { filtersByRule } from './filters-by-rule.ts';

const REFUSED_STATUS = 500;
const CHANGING_FILTERS: ReadonlySet<string> = new Set(['RequestHeaderModifier', 'URLRewrite']);

/** A route as it holds for clients of its own namespace that call a port of the service. */
export function forOwnClients(route: HttpRoute, service: Service, port: number): HttpRoute {
  const forward = route.action?.$case === 'forward' ? route.action.forward : undefined;
  if (route.requestHeaders !== undefined || (forward !== undefined && changesTarget(forward))) {
    const directResponse = { status: REFUSED_STATUS, body: Buffer.alloc(0) };
    return { ...route, requestHeaders: undefined, action: { $case: 'directResponse', directResponse } };
  }
  const responseHeaders = asText(route.responseHeaders);
  if (forward === undefined) return { ...route, responseHeaders };
  const mirrors = forward.mirrors.filter(({ backend }) => !isOtherPort(backend, service, port));
  const backends = forward.backends.map((backend) => backendForOwnClients(backend, service, port));
  return { ...route, responseHeaders, action: { $case: 'forward', forward: { ...forward, backends, mirrors } } };
}

/** One that is not to be reached keeps its share. */
export function backendForOwnClients(backend: WeightedBackend, service: Service, port: number): WeightedBackend {
  const isRefused =
    backend.requestHeaders !== undefined || changesTarget(backend) || isOtherPort(backend.backend, service, port);
  if (!isRefused) return { ...backend, responseHeaders: asText(backend.responseHeaders) };
  return { ...backend, backend: undefined, requestHeaders: undefined, path: undefined, authority: '' };
}

/** What of the route would change requests, as `<filter> (rule <index>)`. */
export function changingFilters(route: RouteObject): string[] {
  return filtersByRule(route, ({ type }) => (CHANGING_FILTERS.has(type) ? type : undefined));
}

/** What would be filled in is of the request as the endpoints of the service get it, with what a provider added for them. */
function asText(changes: HeaderChanges | undefined): HeaderChanges | undefined {
  if (changes === undefined) return undefined;
  const written = ({ name, value }: HeaderValue): HeaderValue => ({ name, value });
  return { ...changes, set: changes.set.map(written), add: changes.add.map(written) };
}

function changesTarget({ path, authority }: Pick<HttpForward | WeightedBackend, 'path' | 'authority'>): boolean {
  return path !== undefined || authority !== '';
}

/** Policies judged the port that was called. */
function isOtherPort(backend: Backend | undefined, { namespace, hostname }: Service, port: number): boolean {
  if (backend?.namespace !== namespace || backend.hostname !== hostname) return false;
  return backend.port !== 0 && backend.port !== port;
}
