/**
 * Matches of routes as tests (facts l7-and-control 1.2, 4.4). Regular expressions are RE2: their time grows with the
 * length of the text and with the pattern's program, and is charged to the request before.
 *
 * Invariant: where a request's budget is exceeded, what a match says means nothing, so that callers ask for that first.
 */
import { normalizeEscapes } from '../http/normalize-path.ts';
import type { ClaimMatch, HttpMatch, NamedMatch, StringMatch } from '../proto/gen/ambit.ts';
import type { RegexBudget, RegexPlace } from './regex-budget.ts';
import { RegexPool } from './regex-pool.ts';
import { queryParameter, type RoutedRequest } from './routed-request.ts';

export type TextTest = (text: string, budget: RegexBudget) => boolean;
export type RequestTest = (request: RoutedRequest) => boolean;

/** @throws Error for a regular expression that RE2 or the pool does not take */
export function compileStringMatch(
  { kind, ignoreCase }: StringMatch,
  pool = new RegexPool(),
  place: RegexPlace = 'header',
): TextTest {
  switch (kind?.$case) {
    case 'exact':
      return ignoreCase ? folded(kind.exact, (text, wanted) => text === wanted) : (text) => text === kind.exact;
    case 'prefix':
      if (ignoreCase) return folded(kind.prefix, (text, wanted) => text.startsWith(wanted));
      return (text) => text.startsWith(kind.prefix);
    case 'pathPrefix':
      return pathPrefixTest(kind.pathPrefix);
    case 'regex': {
      const compiled = pool.compile(kind.regex, ignoreCase);
      return (text, budget) => budget.take(compiled, text.length, place) && compiled.regex.matches(text);
    }
    default:
      return () => true;
  }
}

function folded(wanted: string, test: (text: string, wanted: string) => boolean): TextTest {
  const lower = wanted.toLowerCase();
  return (text) => test(text.toLowerCase(), lower);
}

/** `/a` and `/a/` match `/a`, `/a/` and what is below it, but not `/ab`. */
function pathPrefixTest(prefix: string): TextTest {
  const own = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  const below = `${own}/`;
  return (path) => path === own || path.startsWith(below);
}

/** @throws Error as `compileStringMatch` */
export function compileMatch(match: HttpMatch | undefined, pool = new RegexPool()): RequestTest {
  if (match === undefined) return () => true;
  const tests = [
    ...textTest(normalizedPath(match.path), ({ path }) => path, pool, 'target'),
    ...textTest(match.method, ({ method }) => method, pool, 'target'),
    ...textTest(match.scheme, ({ scheme }) => scheme, pool, 'target'),
    ...textTest(match.authority, ({ authority }) => authority, pool, 'header'),
    ...match.headers.map((named) => namedTest(named, (request) => request.header(named.name), pool, 'header')),
    ...match.query.map((named) => namedTest(named, ({ target }) => queryParameter(target, named.name), pool, 'target')),
    ...match.claims.map((claim) => claimTest(claim, pool)),
  ];
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  // A plain loop: a closure for each of thousands of routes would cost more than its answer.
  return (request) => {
    for (const test of tests) if (!test(request)) return false;
    return true;
  };
}

/** The match of a path in the spelling that the paths of requests have. */
export function normalizedPath(match: StringMatch | undefined): StringMatch | undefined {
  if (match?.kind === undefined) return match;
  return { ignoreCase: match.ignoreCase, kind: normalizedKind(match.kind) };
}

function normalizedKind(kind: NonNullable<StringMatch['kind']>): StringMatch['kind'] {
  switch (kind.$case) {
    case 'exact':
      return { $case: 'exact', exact: normalizeEscapes(kind.exact) };
    case 'prefix':
      return { $case: 'prefix', prefix: normalizeEscapes(kind.prefix) };
    case 'pathPrefix':
      return { $case: 'pathPrefix', pathPrefix: normalizeEscapes(kind.pathPrefix) };
    case 'regex':
      return { $case: 'regex', regex: normalizeEscapes(kind.regex) };
    default:
      return kind;
  }
}

function textTest(
  match: StringMatch | undefined,
  read: (request: RoutedRequest) => string,
  pool: RegexPool,
  place: RegexPlace,
): RequestTest[] {
  if (match === undefined) return [];
  const test = compileStringMatch(match, pool, place);
  return [(request) => test(read(request), request.regexBudget)];
}

function namedTest(
  { value, invert }: NamedMatch,
  read: (request: RoutedRequest) => string | undefined,
  pool: RegexPool,
  place: RegexPlace,
): RequestTest {
  const asksPresence = value === undefined || value.kind === undefined || value.kind.$case === 'present';
  if (asksPresence) return (request) => (read(request) !== undefined) !== invert;
  const test = compileStringMatch(value, pool, place);
  if (invert) return (request) => !test(read(request) ?? '', request.regexBudget);
  return (request) => {
    const text = read(request);
    return text !== undefined && test(text, request.regexBudget);
  };
}

/** Whoever has no token has none of its claims. */
function claimTest({ path, value, invert }: ClaimMatch, pool: RegexPool): RequestTest {
  const asksPresence = value?.kind === undefined || value.kind.$case === 'present';
  const test = asksPresence ? () => true : textsTest(compileStringMatch(value, pool));
  return ({ claims, regexBudget }) => {
    const found = claimAt(claims, path);
    return (found !== undefined && found !== null && test(found, regexBudget)) !== invert;
  };
}

function textsTest(test: TextTest): (value: unknown, budget: RegexBudget) => boolean {
  return (value, budget) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.some((entry) => typeof entry === 'string' && test(entry, budget));
  };
}

function claimAt(claims: RoutedRequest['claims'], path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isObject || !Object.hasOwn(value as object, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
