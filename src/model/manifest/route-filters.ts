/** Filters of HTTPRoutes and GRPCRoutes (facts l7-and-control 4.4). */
import { headerNameProblem } from '../validation/value-rules.ts';
import type { FieldReader } from './field-reader.ts';
import { isHostname } from './hostname.ts';
import { type BackendRef, readBackendRef } from './route-refs.ts';

export interface HeaderModifier {
  readonly set: readonly NamedValue[];
  readonly add: readonly NamedValue[];
  readonly remove: readonly string[];
}

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** What takes the place of the path, or of the elements that the prefix matched. */
export interface PathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly value: string;
}

export interface CorsFilter {
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSec: number;
  readonly allowCredentials: boolean;
}

export type RouteFilter =
  | { readonly type: 'RequestHeaderModifier' | 'ResponseHeaderModifier'; readonly headers: HeaderModifier }
  | {
      readonly type: 'RequestRedirect';
      readonly scheme: string;
      readonly hostname: string;
      readonly path: PathModifier | undefined;
      readonly port: number;
      readonly status: number;
    }
  | { readonly type: 'URLRewrite'; readonly hostname: string; readonly path: PathModifier | undefined }
  | { readonly type: 'RequestMirror'; readonly backend: BackendRef; readonly sharePpm: number }
  | { readonly type: 'CORS'; readonly cors: CorsFilter }
  /** Not refused: the route is not accepted, and says why. */
  | { readonly type: 'unsupported'; readonly name: string };

const VISIBLE = /^[^\s\p{Cc}]*$/u;
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];
const DEFAULT_REDIRECT_STATUS = 302;
const DEFAULT_CORS_SEC = 5;
const LARGEST_INT32 = 2 ** 31 - 1;
const MILLION = 1_000_000;

/** @param namespace of the route */
export function readRouteFilters(rule: FieldReader, namespace: string): RouteFilter[] {
  return rule.children('filters').map((filter) => readFilter(filter, namespace));
}

function readFilter(filter: FieldReader, namespace: string): RouteFilter {
  const type = filter.required('type');
  switch (type) {
    case 'RequestHeaderModifier':
      return { type, headers: readHeaderModifier(settings(filter, 'requestHeaderModifier')) };
    case 'ResponseHeaderModifier':
      return { type, headers: readHeaderModifier(settings(filter, 'responseHeaderModifier')) };
    case 'RequestRedirect':
      return readRedirect(settings(filter, 'requestRedirect'));
    case 'URLRewrite': {
      const rewrite = settings(filter, 'urlRewrite');
      return { type, hostname: readHostname(rewrite), path: readPathModifier(rewrite.child('path')) };
    }
    case 'RequestMirror': {
      const mirror = settings(filter, 'requestMirror');
      const backend = readBackendRef(mirror.child('backendRef'), namespace);
      return { type, backend, sharePpm: readShare(mirror) };
    }
    case 'CORS':
      return { type, cors: readCors(settings(filter, 'cors')) };
    default:
      return { type: 'unsupported', name: type };
  }
}

function settings(filter: FieldReader, name: string): FieldReader {
  filter.onlyKnown(['type', name]);
  if (!filter.has(name)) filter.report(name, 'is required');
  return filter.child(name);
}

function readHeaderModifier(modifier: FieldReader): HeaderModifier {
  modifier.onlyKnown(['set', 'add', 'remove']);
  return {
    set: readNamedValues(modifier, 'set'),
    add: readNamedValues(modifier, 'add'),
    remove: modifier.nonEmptyStrings('remove'),
  };
}

/** Of entries with one name the first counts, whatever the case of letters. */
function readNamedValues(modifier: FieldReader, list: string): NamedValue[] {
  const byName = new Map<string, NamedValue>();
  for (const entry of modifier.children(list)) {
    const name = entry.required('name');
    const problem = name === '' ? undefined : headerNameProblem(name);
    if (problem !== undefined) entry.report('name', problem);
    const value = entry.string('value') ?? '';
    if (/[\r\n\0]/.test(value)) entry.report('value', 'must be one line');
    const key = name.toLowerCase();
    if (!byName.has(key)) byName.set(key, { name, value });
  }
  return [...byName.values()];
}

function readRedirect(redirect: FieldReader): RouteFilter {
  redirect.onlyKnown(['scheme', 'hostname', 'path', 'port', 'statusCode']);
  const status = redirect.integer('statusCode', 100, 599) ?? DEFAULT_REDIRECT_STATUS;
  if (!REDIRECT_STATUSES.includes(status)) {
    redirect.report('statusCode', `must be one of ${REDIRECT_STATUSES.join(', ')}, is ${status}`);
  }
  return {
    type: 'RequestRedirect',
    scheme: redirect.oneOf('scheme', ['http', 'https']) ?? '',
    hostname: readHostname(redirect),
    path: readPathModifier(redirect.child('path')),
    port: redirect.integer('port', 1, 65535) ?? 0,
    status,
  };
}

function readHostname(reader: FieldReader): string {
  const hostname = reader.string('hostname') ?? '';
  if (hostname !== '' && !isHostname(hostname, false)) reader.report('hostname', `"${hostname}" is not a host name`);
  return hostname;
}

function readPathModifier(path: FieldReader): PathModifier | undefined {
  if (!path.isPresent) return undefined;
  path.onlyKnown(['type', 'replaceFullPath', 'replacePrefixMatch']);
  const type = path.oneOf('type', ['ReplaceFullPath', 'ReplacePrefixMatch']);
  if (type === undefined) {
    if (!path.has('type')) path.report('type', 'is required');
    return undefined;
  }
  const field = type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch';
  if (!path.has(field)) path.report(field, 'is required');
  const value = path.string(field) ?? '';
  if (!VISIBLE.test(value)) path.report(field, 'must be without spaces and control characters');
  return { type, value };
}

/** How many of a million requests are mirrored. */
function readShare(mirror: FieldReader): number {
  mirror.onlyKnown(['backendRef', 'percent', 'fraction']);
  if (mirror.has('percent') && mirror.has('fraction')) mirror.report('percent', 'cannot be combined with fraction');
  const percent = mirror.integer('percent', 0, 100);
  if (percent !== undefined) return percent * (MILLION / 100);
  const fraction = mirror.child('fraction');
  if (!fraction.isPresent) return MILLION;
  const denominator = fraction.integer('denominator', 1, LARGEST_INT32) ?? 100;
  const numerator = fraction.integer('numerator', 0, LARGEST_INT32) ?? 0;
  if (numerator > denominator) fraction.report('numerator', 'must not be more than the denominator');
  return Math.round((Math.min(numerator, denominator) / denominator) * MILLION);
}

function readCors(cors: FieldReader): CorsFilter {
  cors.onlyKnown(['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders', 'maxAge', 'allowCredentials']);
  return {
    allowOrigins: cors.nonEmptyStrings('allowOrigins'),
    allowMethods: cors.nonEmptyStrings('allowMethods'),
    allowHeaders: cors.nonEmptyStrings('allowHeaders'),
    exposeHeaders: cors.nonEmptyStrings('exposeHeaders'),
    maxAgeSec: cors.integer('maxAge', 1, LARGEST_INT32) ?? DEFAULT_CORS_SEC,
    allowCredentials: cors.boolean('allowCredentials') ?? false,
  };
}
