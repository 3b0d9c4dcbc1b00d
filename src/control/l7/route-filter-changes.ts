/** What the filters of a rule or backend do to requests and responses (facts l7-and-control 4.4). */
import { compileFormat } from '../../format/compile-format.ts';
import type {
  CorsFilter,
  HeaderModifier,
  NamedValue,
  PathModifier,
  RouteFilter,
} from '../../model/manifest/route-filters.ts';
import {
  type Cors,
  type HeaderChanges,
  type HeaderValue,
  type HttpRedirect,
  type PathRewrite,
  PortChoice,
  type StringMatch,
} from '../../proto/gen/ambit.ts';
import { exactly, matchingRegex } from './route-matching.ts';

type FilterOf<T extends RouteFilter['type']> = Extract<RouteFilter, { readonly type: T }>;

/** The first of its type; undefined without one. */
export function filterOf<T extends RouteFilter['type']>(
  filters: readonly RouteFilter[],
  type: T,
): FilterOf<T> | undefined {
  return filters.find((filter): filter is FilterOf<T> => filter.type === type);
}

/** The changes of all modifiers of one direction; undefined without any. */
export function headerChanges(
  filters: readonly RouteFilter[],
  type: 'RequestHeaderModifier' | 'ResponseHeaderModifier',
): HeaderChanges | undefined {
  const modifiers: HeaderModifier[] = [];
  for (const filter of filters) if (filter.type === type && 'headers' in filter) modifiers.push(filter.headers);
  if (modifiers.length === 0) return undefined;
  return {
    set: modifiers.flatMap(({ set }) => set.map(headerValue)),
    add: modifiers.flatMap(({ add }) => add.map(headerValue)),
    remove: modifiers.flatMap(({ remove }) => [...remove]),
  };
}

/**
 * With operators of Envoy, as Istio's users write them. The Gateway API knows no such thing: what is no format, or has an
 * operator that there is not, is the text that it is.
 */
function headerValue({ name, value }: NamedValue): HeaderValue {
  const format = compileFormat(value);
  if (!format.ok) return { name, value };
  return format.value.literal === undefined ? { name, value, isFormat: true } : { name, value: format.value.literal };
}

/** The path and authority that requests go on with. */
export function rewriteOf(filters: readonly RouteFilter[]): { path: PathRewrite | undefined; authority: string } {
  const rewrite = filterOf(filters, 'URLRewrite');
  return { path: toPathRewrite(rewrite?.path), authority: rewrite?.hostname ?? '' };
}

export function redirectOf(filters: readonly RouteFilter[]): HttpRedirect | undefined {
  const redirect = filterOf(filters, 'RequestRedirect');
  if (redirect === undefined) return undefined;
  const { scheme, hostname, port, path, status } = redirect;
  return {
    scheme,
    authority: hostname,
    port,
    path: toPathRewrite(path),
    status,
    portChoice: PortChoice.BY_SCHEME_OR_REQUEST,
  };
}

export function corsOf(filters: readonly RouteFilter[]): Cors | undefined {
  const filter = filterOf(filters, 'CORS');
  return filter === undefined ? undefined : toCors(filter.cors);
}

function toPathRewrite(path: PathModifier | undefined): PathRewrite | undefined {
  if (path === undefined) return undefined;
  const { type, value } = path;
  if (type === 'ReplaceFullPath') return { kind: { $case: 'full', full: value } };
  return { kind: { $case: 'pathPrefix', pathPrefix: value } };
}

function toCors(cors: CorsFilter): Cors {
  return {
    allowOrigins: cors.allowOrigins.map(toOrigin),
    allowMethods: [...cors.allowMethods],
    allowHeaders: [...cors.allowHeaders],
    exposeHeaders: [...cors.exposeHeaders],
    maxAgeSec: cors.maxAgeSec,
    allowCredentials: cors.allowCredentials,
    answerUnmatchedPreflights: true,
  };
}

/** `*` alone is every origin; in a host or port it stands for one or more characters of it. */
function toOrigin(origin: string): StringMatch {
  if (origin === '*') return { kind: { $case: 'present', present: true }, ignoreCase: false };
  if (!origin.includes('*')) return exactly(origin);
  const parts = origin.split('*').map((part) => part.replace(/[!-/:-@[-^`{-~]/g, (char) => `\\${char}`));
  return matchingRegex(parts.join('[^/:]+'));
}
