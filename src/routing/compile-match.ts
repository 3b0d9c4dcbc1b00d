/**
 * Matches of routes as tests (facts l7-and-control 1.2, 4.4). Regular expressions are RE2: their time grows with the
 * length of the text and with nothing else, whatever a client sends.
 */
import { RE2JS } from 're2js';
import { normalizeEscapes } from '../http/normalize-path.ts';
import type { ClaimMatch, HttpMatch, NamedMatch, StringMatch } from '../proto/gen/ambit.ts';
import { queryParameter, type RoutedRequest } from './routed-request.ts';

export type TextTest = (text: string) => boolean;
export type RequestTest = (request: RoutedRequest) => boolean;

/** @throws Error for a regular expression that RE2 does not take */
export function compileStringMatch({ kind, ignoreCase }: StringMatch): TextTest {
  switch (kind?.$case) {
    case 'exact':
      return ignoreCase ? folded(kind.exact, (text, wanted) => text === wanted) : (text) => text === kind.exact;
    case 'prefix':
      if (ignoreCase) return folded(kind.prefix, (text, wanted) => text.startsWith(wanted));
      return (text) => text.startsWith(kind.prefix);
    case 'pathPrefix':
      return pathPrefixTest(kind.pathPrefix);
    case 'regex': {
      const regex = RE2JS.compile(kind.regex, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
      return (text) => regex.matches(text);
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
export function compileMatch(match: HttpMatch | undefined): RequestTest {
  if (match === undefined) return () => true;
  const tests = [
    ...textTest(normalizedPath(match.path), ({ path }) => path),
    ...textTest(match.method, ({ method }) => method),
    ...textTest(match.scheme, ({ scheme }) => scheme),
    ...textTest(match.authority, ({ authority }) => authority),
    ...match.headers.map((named) => namedTest(named, (request) => request.header(named.name))),
    ...match.query.map((named) => namedTest(named, ({ target }) => queryParameter(target, named.name))),
    ...match.claims.map(claimTest),
  ];
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  return (request) => tests.every((test) => test(request));
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

function textTest(match: StringMatch | undefined, read: (request: RoutedRequest) => string): RequestTest[] {
  if (match === undefined) return [];
  const test = compileStringMatch(match);
  return [(request) => test(read(request))];
}

function namedTest({ value, invert }: NamedMatch, read: (request: RoutedRequest) => string | undefined): RequestTest {
  const asksPresence = value === undefined || value.kind === undefined || value.kind.$case === 'present';
  if (asksPresence) return (request) => (read(request) !== undefined) !== invert;
  const test = compileStringMatch(value);
  if (invert) return (request) => !test(read(request) ?? '');
  return (request) => {
    const text = read(request);
    return text !== undefined && test(text);
  };
}

/** Whoever has no token has none of its claims. */
function claimTest({ path, value, invert }: ClaimMatch): RequestTest {
  const asksPresence = value?.kind === undefined || value.kind.$case === 'present';
  const test = asksPresence ? () => true : textsTest(compileStringMatch(value));
  return ({ claims }) => {
    const found = claimAt(claims, path);
    return (found !== undefined && found !== null && test(found)) !== invert;
  };
}

function textsTest(test: TextTest): (value: unknown) => boolean {
  return (value) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.some((entry) => typeof entry === 'string' && test(entry));
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
