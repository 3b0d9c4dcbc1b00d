/** A rule of an HTTPRoute or GRPCRoute as routes of a waypoint, one per match (facts l7-and-control 4.4). */
import type { GrpcRouteObject } from '../../model/manifest/grpc-route.ts';
import type { HttpRouteObject, HttpRouteRule } from '../../model/manifest/http-route.ts';
import type { HttpRouteMatch } from '../../model/manifest/route-matches.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { WeightedBackendRef } from '../../model/manifest/route-refs.ts';
import type { HttpForward, HttpRoute, Mirror, RetryPolicy, WeightedBackend } from '../../proto/gen/ambit.ts';
import type { RouteLookup } from './route-attachment.ts';
import { findBackend } from './route-backends.ts';
import { corsOf, filterOf, headerChanges, redirectOf, rewriteOf } from './route-filter-changes.ts';
import { toHttpMatch } from './route-matching.ts';
import { routeName } from './route-name.ts';
import { toSessionPersistence } from './session-persistence.ts';

/** A route of a waypoint, and the match that ranks it. */
export interface RankedRoute {
  readonly match: HttpRouteMatch;
  readonly http: HttpRoute;
}

/** Answers what is sent to a backend that is not there, and what a filter is in the way of. */
const MISSING_STATUS = 500;
const RETRY_CONDITIONS = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];
const DEFAULT_ATTEMPTS = 2;
const DEFAULT_BACKOFF_MS = 25;

/** All rules, in the order in which they are written. */
export function buildRankedRoutes(lookup: RouteLookup, route: HttpRouteObject | GrpcRouteObject): RankedRoute[] {
  return route.rules.flatMap((rule, index) => {
    const name = routeName(route.meta, index);
    const shared = {
      name,
      action: actionOf(lookup, route, rule, name),
      requestHeaders: headerChanges(rule.filters, 'RequestHeaderModifier'),
      responseHeaders: headerChanges(rule.filters, 'ResponseHeaderModifier'),
      fault: undefined,
      cors: corsOf(rule.filters),
    };
    return rule.matches.map((match) => ({ match, http: { ...shared, match: toHttpMatch(match) } }));
  });
}

/** A backend that cannot be resolved keeps its share. */
export function toWeightedBackend(lookup: RouteLookup, route: RouteObject, ref: WeightedBackendRef): WeightedBackend {
  const reading = findBackend(lookup, route, ref);
  return {
    weight: ref.weight,
    backend: reading.kind === 'found' ? reading.backend : undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    path: undefined,
    authority: '',
  };
}

function actionOf(lookup: RouteLookup, route: HttpRouteObject | GrpcRouteObject, rule: HttpRouteRule, name: string) {
  if (filterOf(rule.filters, 'unsupported') !== undefined) {
    const directResponse = { status: MISSING_STATUS, body: Buffer.alloc(0) };
    return { $case: 'directResponse' as const, directResponse };
  }
  const redirect = redirectOf(rule.filters);
  if (redirect !== undefined) return { $case: 'redirect' as const, redirect };
  return { $case: 'forward' as const, forward: forwardOf(lookup, route, rule, name) };
}

function forwardOf(
  lookup: RouteLookup,
  route: HttpRouteObject | GrpcRouteObject,
  rule: HttpRouteRule,
  name: string,
): HttpForward {
  const { backends, filters, retry, session, requestTimeoutMs, backendTimeoutMs } = rule;
  return {
    backends: backends.map((ref) => {
      const weighted = toWeightedBackend(lookup, route, ref);
      return {
        ...weighted,
        backend: filterOf(ref.filters, 'unsupported') === undefined ? weighted.backend : undefined,
        requestHeaders: headerChanges(ref.filters, 'RequestHeaderModifier'),
        responseHeaders: headerChanges(ref.filters, 'ResponseHeaderModifier'),
        ...rewriteOf(ref.filters),
      };
    }),
    ...rewriteOf(filters),
    // Without retries to bound, the time of a try is the time of the request, as in Istio.
    timeoutMs: retry === undefined && backendTimeoutMs > 0 ? backendTimeoutMs : requestTimeoutMs,
    retry: retryOf(rule),
    mirrors: mirrorsOf(lookup, route, rule),
    missingStatus: MISSING_STATUS,
    session: session && toSessionPersistence(session, name),
  };
}

function retryOf({ retry, backendTimeoutMs }: HttpRouteRule): RetryPolicy {
  return {
    attempts: retry?.attempts ?? DEFAULT_ATTEMPTS,
    perTryTimeoutMs: retry === undefined ? 0 : backendTimeoutMs,
    conditions: [...RETRY_CONDITIONS],
    statusCodes: [...(retry?.codes ?? [])],
    backoffMs: retry?.backoffMs ?? DEFAULT_BACKOFF_MS,
    keepPreviousHosts: false,
    leavePriorities: false,
  };
}

function mirrorsOf(lookup: RouteLookup, route: HttpRouteObject | GrpcRouteObject, rule: HttpRouteRule): Mirror[] {
  return rule.filters.flatMap((filter) => {
    if (filter.type !== 'RequestMirror') return [];
    const reading = findBackend(lookup, route, filter.backend);
    return reading.kind === 'found' ? [{ backend: reading.backend, sharePpm: filter.sharePpm }] : [];
  });
}
