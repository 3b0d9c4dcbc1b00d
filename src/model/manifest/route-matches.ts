/** What requests a rule of an HTTPRoute or GRPCRoute is for (facts l7-and-control 4.4). */
import { compileRegex } from '../regex/compile-regex.ts';
import { regexProblem } from '../validation/regex-syntax.ts';
import type { FieldReader } from './field-reader.ts';

/** Everything that is given has to match. */
export interface HttpRouteMatch {
  readonly path: PathMatch;
  /** Names in lower case. */
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly method: string | undefined;
}

/** A prefix is of whole elements and has no slash at its end, unless it is all of them. */
export interface PathMatch {
  readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression';
  readonly value: string;
}

export interface ValueMatch {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
const ALL_PATHS: PathMatch = { type: 'PathPrefix', value: '/' };
/** What a rule is for that does not say. */
export const MATCH_ALL: HttpRouteMatch = { path: ALL_PATHS, headers: [], query: [], method: undefined };
const VALUE_TYPES = ['Exact', 'RegularExpression'] as const;
/** In the place of a gRPC service or method that may be any. */
const ANY_PART = '[^/]+';

/** The matches of a rule of an HTTPRoute; without any it is for everything. */
export function readHttpMatches(rule: FieldReader): HttpRouteMatch[] {
  const matches = rule.children('matches').map((match) => {
    match.onlyKnown(['path', 'headers', 'queryParams', 'method']);
    return {
      path: readPath(match.child('path')),
      headers: readValues(match, 'headers', true),
      query: readValues(match, 'queryParams', false),
      method: match.oneOf('method', METHODS),
    };
  });
  return matches.length === 0 ? [MATCH_ALL] : matches;
}

/** The matches of a rule of a GRPCRoute, in terms of HTTP: the path is `/<service>/<method>`. */
export function readGrpcMatches(rule: FieldReader): HttpRouteMatch[] {
  const matches = rule.children('matches').map((match) => {
    match.onlyKnown(['method', 'headers']);
    const headers = readValues(match, 'headers', true);
    return { path: readGrpcMethod(match.child('method')), headers, query: [], method: undefined };
  });
  return matches.length === 0 ? [MATCH_ALL] : matches;
}

function readPath(path: FieldReader): PathMatch {
  path.onlyKnown(['type', 'value']);
  const type = path.oneOf('type', ['Exact', 'PathPrefix', 'RegularExpression']) ?? 'PathPrefix';
  const value = path.string('value') ?? '/';
  if (type === 'RegularExpression') {
    checkRegex(path, 'value', value);
    return { type, value };
  }
  if (!value.startsWith('/')) path.report('value', `must start with "/", is "${value}"`);
  return { type, value: type === 'PathPrefix' ? value.replace(/\/+$/, '') || '/' : value };
}

/** Of entries with one name the first counts. */
function readValues(match: FieldReader, list: string, isHeader: boolean): ValueMatch[] {
  const byName = new Map<string, ValueMatch>();
  for (const entry of match.children(list)) {
    entry.onlyKnown(['type', 'name', 'value']);
    const written = entry.required('name');
    const isRegex = entry.oneOf('type', VALUE_TYPES) === 'RegularExpression';
    const value = entry.string('value') ?? '';
    if (isRegex) checkRegex(entry, 'value', value);
    const name = isHeader ? written.toLowerCase() : written;
    if (!byName.has(name)) byName.set(name, { name, value, isRegex });
  }
  return [...byName.values()];
}

function readGrpcMethod(method: FieldReader): PathMatch {
  method.onlyKnown(['type', 'service', 'method']);
  const isRegex = method.oneOf('type', VALUE_TYPES) === 'RegularExpression';
  const service = method.string('service') ?? '';
  const name = method.string('method') ?? '';
  if (service === '' && name === '') {
    if (method.isPresent) method.report(undefined, 'needs a service or a method');
    return ALL_PATHS;
  }
  if (isRegex) {
    checkRegex(method, 'service', service);
    checkRegex(method, 'method', name);
    return joinedRegex(method, `/${regexPart(service)}/${regexPart(name)}`);
  }
  if (name === '') return { type: 'PathPrefix', value: `/${service}` };
  if (service === '') return joinedRegex(method, `/${ANY_PART}/${quoteRegex(name)}`);
  return { type: 'Exact', value: `/${service}/${name}` };
}

/** Each part may be fine, and both together be too much. */
function joinedRegex(method: FieldReader, value: string): PathMatch {
  const compiled = compileRegex(value);
  if (!compiled.ok) method.report('method', compiled.error);
  return { type: 'RegularExpression', value };
}

function regexPart(pattern: string): string {
  return pattern === '' ? ANY_PART : `(?:${pattern})`;
}

function quoteRegex(text: string): string {
  return text.replace(/[!-/:-@[-^`{-~]/g, (char) => `\\${char}`);
}

function checkRegex(reader: FieldReader, field: string, pattern: string): void {
  const problem = regexProblem(pattern);
  if (problem !== undefined) reader.report(field, problem);
}
