/**
 * External authorizers that MeshConfig names in `extensionProviders` (facts l7-and-control 6.6). Providers of other kinds
 * are left alone.
 */
import type { FieldReader } from './manifest/field-reader.ts';
import { readProviderService, readProviderTimeout } from './provider-service.ts';

/** What both protocols have. */
interface AnyAuthorizer {
  readonly name: string;
  /** Empty: that of the only service of the host name. */
  readonly namespace: string;
  readonly hostname: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly failOpen: boolean;
  readonly statusOnError: number;
  readonly clearRouteCache: boolean;
  /** Undefined: it is asked without the body of the request. */
  readonly body: CheckedBodyOptions | undefined;
}

export interface CheckedBodyOptions {
  readonly maxBytes: number;
  readonly allowPartial: boolean;
  readonly asBytes: boolean;
}

export interface GrpcAuthorizer extends AnyAuthorizer {
  readonly protocol: 'grpc';
}

/** Names of headers may start or end with `*`. */
export interface HttpAuthorizer extends AnyAuthorizer {
  readonly protocol: 'http';
  readonly pathPrefix: string;
  readonly requestHeaders: readonly string[];
  readonly additionalHeaders: ReadonlyMap<string, string>;
  readonly toUpstreamOnAllow: readonly string[];
  readonly toDownstreamOnDeny: readonly string[];
  readonly toDownstreamOnAllow: readonly string[];
}

export type ExternalAuthorizer = GrpcAuthorizer | HttpAuthorizer;

const HTTP = 'envoyExtAuthzHttp';
const GRPC = 'envoyExtAuthzGrpc';
const COMMON = [
  'service',
  'port',
  'timeout',
  'failOpen',
  'clearRouteCache',
  'statusOnError',
  'includeRequestBodyInCheck',
];
const HTTP_ONLY = [
  'pathPrefix',
  'includeHeadersInCheck',
  'includeRequestHeadersInCheck',
  'includeAdditionalHeadersInCheck',
  'headersToUpstreamOnAllow',
  'headersToDownstreamOnDeny',
  'headersToDownstreamOnAllow',
];
const PROVIDER_NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const HEADER_NAME = /^[!#$%&'+\-.^_`|~0-9a-z]+$/i;
const BAD_HEADER_VALUE = /[^\t -~]|^[ \t]|[ \t]$/;
const DEFAULT_TIMEOUT_MS = 600_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const DEFAULT_STATUS_ON_ERROR = 403;

/** Reads the list; what is wrong is reported with its field. */
export function readExternalAuthorizers(mesh: FieldReader): ExternalAuthorizer[] {
  const authorizers: ExternalAuthorizer[] = [];
  const names = new Set<string>();
  for (const provider of mesh.children('extensionProviders')) {
    const name = provider.required('name');
    if (names.has(name)) provider.report('name', `"${name}" is the name of another provider too`);
    names.add(name);
    if (!provider.has(HTTP) && !provider.has(GRPC)) continue;
    if (!PROVIDER_NAME.test(name))
      provider.report('name', `"${name}" is no name of lower-case letters, digits and "-"`);
    if (provider.has(HTTP) && provider.has(GRPC)) provider.report(GRPC, `cannot be given together with ${HTTP}`);
    const protocol = provider.has(HTTP) ? HTTP : GRPC;
    authorizers.push(readAuthorizer(name, protocol, provider.child(protocol)));
  }
  return authorizers;
}

function readAuthorizer(name: string, protocol: typeof HTTP | typeof GRPC, fields: FieldReader): ExternalAuthorizer {
  fields.onlyKnown(protocol === HTTP ? [...COMMON, ...HTTP_ONLY] : COMMON);
  const port = fields.integer('port', 1, 65_535);
  if (!fields.has('port')) fields.report('port', 'is required');
  const common = {
    name,
    ...readProviderService(fields),
    port: port ?? 0,
    timeoutMs: readProviderTimeout(fields, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
    failOpen: fields.boolean('failOpen') ?? false,
    statusOnError: readStatus(fields),
    clearRouteCache: fields.boolean('clearRouteCache') ?? false,
    body: readBody(fields),
  };
  return protocol === GRPC ? { ...common, protocol: 'grpc' } : { ...common, protocol: 'http', ...readHttp(fields) };
}

function readStatus(fields: FieldReader): number {
  const text = fields.string('statusOnError');
  if (text === undefined) return DEFAULT_STATUS_ON_ERROR;
  if (/^[2-5]\d\d$/.test(text)) return Number(text);
  fields.report('statusOnError', `"${text}" is not a status from 200 to 599`);
  return DEFAULT_STATUS_ON_ERROR;
}

function readBody(fields: FieldReader): CheckedBodyOptions | undefined {
  const body = fields.child('includeRequestBodyInCheck');
  if (!body.isPresent) return undefined;
  body.onlyKnown(['maxRequestBytes', 'allowPartialMessage', 'packAsBytes']);
  const maxBytes = body.integer('maxRequestBytes', 1, MAX_BODY_BYTES);
  if (!body.has('maxRequestBytes')) body.report('maxRequestBytes', 'is required');
  return {
    maxBytes: maxBytes ?? 1,
    allowPartial: body.boolean('allowPartialMessage') ?? false,
    asBytes: body.boolean('packAsBytes') ?? false,
  };
}

function readHttp(fields: FieldReader): Omit<HttpAuthorizer, keyof GrpcAuthorizer> {
  const pathPrefix = fields.string('pathPrefix') ?? '';
  if (pathPrefix !== '' && !/^\/[!-~]*$/.test(pathPrefix))
    fields.report('pathPrefix', 'is no path that starts with "/"');
  // The first is the older name of the second.
  const older = readPatterns(fields, 'includeHeadersInCheck');
  const newer = readPatterns(fields, 'includeRequestHeadersInCheck');
  return {
    pathPrefix,
    requestHeaders: newer.length > 0 ? newer : older,
    additionalHeaders: readHeaders(fields, 'includeAdditionalHeadersInCheck'),
    toUpstreamOnAllow: readPatterns(fields, 'headersToUpstreamOnAllow'),
    toDownstreamOnDeny: readPatterns(fields, 'headersToDownstreamOnDeny'),
    toDownstreamOnAllow: readPatterns(fields, 'headersToDownstreamOnAllow'),
  };
}

/** A name, or its beginning or end with `*` for the rest. */
function readPatterns(fields: FieldReader, field: string): string[] {
  const patterns = fields.nonEmptyStrings(field);
  for (const pattern of patterns) {
    const name = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern.replace(/^\*/, '');
    if (!HEADER_NAME.test(name)) {
      fields.report(field, `"${pattern}" is not the name of a header, with "*" for its beginning or its end`);
    }
  }
  return patterns.map((pattern) => pattern.toLowerCase());
}

function readHeaders(fields: FieldReader, field: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of fields.stringMap(field)) {
    if (!HEADER_NAME.test(name)) fields.report(field, `"${name}" is not the name of a header`);
    if (BAD_HEADER_VALUE.test(value)) fields.report(field, `the value of "${name}" cannot be that of a header`);
    headers.set(name.toLowerCase(), value);
  }
  return headers;
}
