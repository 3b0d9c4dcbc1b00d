/** Matches of routes as waypoints get them, and which of two comes first (facts l7-and-control 4.4). */
import { compareAge, compareTexts } from '../../model/manifest/object-order.ts';
import type { HttpRouteMatch, PathMatch, ValueMatch } from '../../model/manifest/route-matches.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { HttpMatch, NamedMatch, StringMatch } from '../../proto/gen/ambit.ts';

export function toHttpMatch({ path, headers, query, method }: HttpRouteMatch): HttpMatch {
  return {
    path: toPathMatch(path),
    scheme: undefined,
    method: method === undefined ? undefined : exactly(method),
    authority: undefined,
    headers: headers.map(toNamedMatch),
    query: query.map(toNamedMatch),
    claims: [],
  };
}

/** A regular expression, of the whole text. */
export function matchingRegex(regex: string): StringMatch {
  return { kind: { $case: 'regex', regex }, ignoreCase: false };
}

/** The text itself. */
export function exactly(exact: string): StringMatch {
  return { kind: { $case: 'exact', exact }, ignoreCase: false };
}

function toPathMatch({ type, value }: PathMatch): StringMatch {
  if (type === 'Exact') return exactly(value);
  if (type === 'RegularExpression') return matchingRegex(value);
  return { kind: { $case: 'pathPrefix', pathPrefix: value }, ignoreCase: false };
}

function toNamedMatch({ name, value, isRegex }: ValueMatch): NamedMatch {
  return { name, value: isRegex ? matchingRegex(value) : exactly(value), invert: false };
}

const PATH_RANK = { Exact: 0, PathPrefix: 1, RegularExpression: 2 } as const;

/** Negative when `a` comes before `b`; 0 where only age, name and order of their routes decide. */
export function compareMatches(a: HttpRouteMatch, b: HttpRouteMatch): number {
  return (
    PATH_RANK[a.path.type] - PATH_RANK[b.path.type] ||
    b.path.value.length - a.path.value.length ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length
  );
}

/** The oldest first, then by namespace and name. Objects from files have no age. */
export function compareRoutes(a: RouteObject, b: RouteObject): number {
  return (
    compareAge(a.meta, b.meta) ||
    compareTexts(a.meta.namespace, b.meta.namespace) ||
    compareTexts(a.meta.name, b.meta.name) ||
    compareTexts(a.kind, b.kind)
  );
}
