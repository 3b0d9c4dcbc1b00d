/** HTTPRoute (gateway.networking.k8s.io; facts l7-and-control 4.4, C). */
import { excessRegex, TOO_MANY_REGEXES } from '../regex/regex-total.ts';
import type { FieldReader } from './field-reader.ts';
import { readGatewayDuration } from './gateway-duration.ts';
import type { ObjectMeta } from './object-meta.ts';
import { type RouteFilter, readRouteFilters } from './route-filters.ts';
import { type HttpRouteMatch, MATCH_ALL, readHttpMatches } from './route-matches.ts';
import { type ParentRef, readParentRefs, readWeightedBackendRef, type WeightedBackendRef } from './route-refs.ts';
import { readSessionPersistence, type SessionPersistenceSpec } from './session-persistence.ts';

export interface HttpRouteObject {
  readonly kind: 'HTTPRoute';
  readonly meta: ObjectMeta;
  readonly parents: readonly ParentRef[];
  readonly rules: readonly HttpRouteRule[];
}

/** A rule of an HTTPRoute, or of a GRPCRoute in terms of HTTP. */
export interface HttpRouteRule {
  /** One at least. */
  readonly matches: readonly HttpRouteMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly FilteredBackend[];
  /** 0 for off. */
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
  readonly retry: RouteRetry | undefined;
  readonly session: SessionPersistenceSpec | undefined;
  /** Fields that are given and that no waypoint acts on. */
  readonly unused: readonly string[];
}

export interface FilteredBackend extends WeightedBackendRef {
  /** Changes of headers, rewrites, and what is not supported here. */
  readonly filters: readonly RouteFilter[];
}

export interface RouteRetry {
  readonly codes: readonly number[];
  readonly attempts: number | undefined;
  readonly backoffMs: number | undefined;
}

/** The filters of a rule, and those of its backends behind them. */
export function filtersOf({ filters, backends }: Pick<HttpRouteRule, 'filters' | 'backends'>): RouteFilter[] {
  return [...filters, ...backends.flatMap((backend) => backend.filters)];
}

const RULE_FIELDS = ['name', 'matches', 'filters', 'backendRefs', 'timeouts', 'retry', 'sessionPersistence'];
/** What can differ between the backends of one rule. */
const BACKEND_FILTERS: ReadonlySet<string> = new Set(['RequestHeaderModifier', 'ResponseHeaderModifier', 'URLRewrite']);
const MAX_ATTEMPTS = 100;
export const NO_LIMITS = { requestTimeoutMs: 0, backendTimeoutMs: 0, retry: undefined, session: undefined } as const;
/** What API servers make of a route without rules. */
const EMPTY_RULE: HttpRouteRule = { matches: [MATCH_ALL], filters: [], backends: [], ...NO_LIMITS, unused: [] };

export function readHttpRoute(meta: ObjectMeta, root: FieldReader): HttpRouteObject {
  const spec = root.child('spec');
  const rules = rulesOf(spec).map((rule) => readRule(rule, meta.namespace));
  return {
    kind: 'HTTPRoute',
    meta,
    parents: readParentRefs(spec, meta.namespace),
    rules: spec.has('rules') ? rules : [EMPTY_RULE],
  };
}

/** None where they have too many regular expressions to compile, which is reported. */
export function rulesOf(spec: FieldReader): FieldReader[] {
  const excess = excessRegex(spec.fields);
  if (excess === undefined) return spec.children('rules');
  spec.reportAt(excess, `is one of ${TOO_MANY_REGEXES}`);
  return [];
}

function readRule(rule: FieldReader, namespace: string): HttpRouteRule {
  rule.onlyKnown(RULE_FIELDS);
  const matches = readHttpMatches(rule);
  const actions = readRouteActions(rule, namespace);
  checkFilters(rule, matches, actions);
  const timeouts = rule.child('timeouts');
  timeouts.onlyKnown(['request', 'backendRequest']);
  const requestTimeoutMs = readGatewayDuration(timeouts, 'request') ?? 0;
  const backendTimeoutMs = readGatewayDuration(timeouts, 'backendRequest') ?? 0;
  if (requestTimeoutMs > 0 && backendTimeoutMs > requestTimeoutMs) {
    timeouts.report('backendRequest', 'must not be longer than request');
  }
  const retry = readRetry(rule.child('retry'));
  const session = readSessionPersistence(rule);
  return { matches, ...actions, requestTimeoutMs, backendTimeoutMs, retry, session, unused: unusedFields(rule) };
}

/** Of a rule of an HTTPRoute or GRPCRoute. */
export function unusedFields(rule: FieldReader): string[] {
  const session = rule.child('sessionPersistence');
  return session.raw('type') === 'Header' && session.has('cookieConfig') ? ['sessionPersistence.cookieConfig'] : [];
}

/** The filters and backends of a rule. What can only be said of a whole rule may stand at its only backend. */
export function readRouteActions(
  rule: FieldReader,
  namespace: string,
): { filters: RouteFilter[]; backends: FilteredBackend[] } {
  const filters = readRouteFilters(rule, namespace);
  const refs = rule.children('backendRefs');
  const backends = refs.map((ref) => {
    const own: RouteFilter[] = [];
    for (const filter of readRouteFilters(ref, namespace)) {
      if (BACKEND_FILTERS.has(filter.type)) own.push(filter);
      else if (refs.length === 1) filters.push(filter);
      else own.push({ type: 'unsupported', name: filter.type === 'unsupported' ? filter.name : filter.type });
    }
    return { ...readWeightedBackendRef(ref, namespace, ['filters']), filters: own };
  });
  return { filters, backends };
}

function checkFilters(
  rule: FieldReader,
  matches: readonly HttpRouteMatch[],
  actions: Pick<HttpRouteRule, 'filters' | 'backends'>,
): void {
  const types = new Set(actions.filters.map(({ type }) => type));
  if (types.has('RequestRedirect') && types.has('URLRewrite')) {
    rule.report('filters', 'RequestRedirect and URLRewrite cannot be combined in one rule');
  }
  const replaces = filtersOf(actions).some((filter) => 'path' in filter && filter.path?.type === 'ReplacePrefixMatch');
  if (replaces && matches.some(({ path }) => path.type !== 'PathPrefix')) {
    rule.report('filters', 'ReplacePrefixMatch needs matches of type PathPrefix');
  }
}

function readRetry(retry: FieldReader): RouteRetry | undefined {
  if (!retry.isPresent) return undefined;
  retry.onlyKnown(['codes', 'attempts', 'backoff']);
  return {
    codes: readCodes(retry),
    attempts: retry.integer('attempts', 0, MAX_ATTEMPTS),
    backoffMs: readGatewayDuration(retry, 'backoff'),
  };
}

function readCodes(retry: FieldReader): number[] {
  const value = retry.raw('codes') ?? [];
  const isCode = (code: unknown) => typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599;
  if (Array.isArray(value) && value.every(isCode)) return value;
  retry.report('codes', 'must be a list of numbers from 400 to 599');
  return [];
}
