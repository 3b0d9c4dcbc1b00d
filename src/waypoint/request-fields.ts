/** A request's header list, with its pseudo-headers at hand (facts l7-and-control 10.2). */
import { randomUUID } from 'node:crypto';
import type { HttpHeader } from '../http/http-stream.ts';
import { normalizePath } from '../http/normalize-path.ts';
import { ATTEMPT_COUNT_HEADER } from '../routing/header-changes.ts';
import { RegexBudget } from '../routing/regex-budget.ts';
import { type PathChange, rewriteTarget } from '../routing/rewrite-path.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import type { UpstreamVersion } from './http-upstreams.ts';

/** What may be sent again when it is not known whether somebody read it (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Headers of a client that speak of other hops, and so are not taken from it (facts l7-and-control 10.2). */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'host',
  'x-forwarded-client-cert',
  // Goes on with the client in it.
  'x-forwarded-for',
  ATTEMPT_COUNT_HEADER,
  'proxy-connection',
  'keep-alive',
]);

/** What proxies tell one another; a client's word for it would be taken for theirs. */
const BETWEEN_PROXIES = 'x-envoy-';
/** Says who the client is, as `x-forwarded-for` does. */
const EXTERNAL_ADDRESS = 'x-envoy-external-address';

const COLON = 0x3a;

/** Where an id says whether its request is traced: the version of the UUID. */
const TRACED_AT = 14;
const TRACED = '9';

const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;

/**
 * What counts of the headers that a client sent: neither what proxies say to each other, nor its identity, which only the
 * tunnel tells. Nobody from here on sees the rest, policies and routes included.
 */
export function clientHeaders(headers: readonly HttpHeader[]): readonly HttpHeader[] {
  return headers.every(([name]) => isClients(name)) ? headers : headers.filter(([name]) => isClients(name));
}

function isClients(name: string): boolean {
  if (!name.startsWith('x-')) return true;
  return name !== 'x-forwarded-client-cert' && (!name.startsWith(BETWEEN_PROXIES) || name === EXTERNAL_ADDRESS);
}

/** What a route changes of a request. */
export interface RequestChanges {
  /** As `rewritten` makes it. */
  readonly target: string;
  /** Empty: the client's own. */
  readonly authority: string;
  /** In this order. */
  readonly headers: readonly (((headers: readonly HttpHeader[]) => readonly HttpHeader[]) | undefined)[];
}

/** Who sent the request, as endpoints are told. */
export interface RequestClient {
  readonly ip: string;
  /** Value of `x-forwarded-client-cert`; undefined: endpoints are not told. */
  readonly certificate: string | undefined;
}

/** A request after its token was looked at. */
export interface AuthenticatedRequest {
  readonly headers: readonly HttpHeader[];
  readonly target: string;
  readonly claims: RoutedRequest['claims'];
}

export class RequestFields implements RoutedRequest {
  #headers: readonly HttpHeader[];
  #target: string;
  #path: string;
  #claims: RoutedRequest['claims'];
  readonly method: string;
  readonly scheme: string;
  /** Whether the path can be normalised, and it is clear whom the request is for. */
  readonly valid: boolean;
  readonly authority: string;
  #requestId: string;
  /** Whether the id is the client's. */
  readonly hasOwnId: boolean;
  readonly regexBudget = new RegexBudget();
  readonly isGrpc: boolean;
  readonly idempotent: boolean;

  constructor(headers: readonly HttpHeader[]) {
    this.#headers = headers;
    const known = readKnown(headers);
    this.method = known.method;
    this.scheme = known.scheme;
    const target = normalizePath(known.path);
    this.#target = target ?? known.path;
    this.#path = withoutQuery(this.#target);
    // Where a client says it by `host` alone, that is what the endpoint will see (RFC 9113 8.3.1).
    this.authority = known.authority ?? (known.hosts === 1 ? known.host : '');
    this.valid = target !== undefined && this.authority !== '';
    this.hasOwnId = known.requestIds > 0;
    // Two of them are one with a comma, as any header.
    this.#requestId =
      known.requestIds === 1
        ? known.requestId
        : ((this.hasOwnId ? this.header('x-request-id') : undefined) ?? randomUUID());
    this.idempotent = IDEMPOTENT.has(this.method);
    this.isGrpc = known.contentType?.startsWith('application/grpc') === true;
  }

  /** The client's, else one of the waypoint's own. */
  get requestId(): string {
    return this.#requestId;
  }

  /** Lets an id of the waypoint's own say that the request is traced; a client's stays as it is (facts l7-and-control 8.2). */
  markTraced(): void {
    if (this.hasOwnId) return;
    this.#requestId = `${this.#requestId.slice(0, TRACED_AT)}${TRACED}${this.#requestId.slice(TRACED_AT + 1)}`;
  }

  /** How long a gRPC client means to wait, as it wrote it. */
  get grpcTimeout(): string | undefined {
    return this.isGrpc ? this.header('grpc-timeout') : undefined;
  }

  get headers(): readonly HttpHeader[] {
    return this.#headers;
  }

  /** Normalised, which is also how it goes on; as it came when it cannot be. */
  get target(): string {
    return this.#target;
  }

  get path(): string {
    return this.#path;
  }

  /** Nothing but a token that was verified brings them: no header does. */
  get claims(): RoutedRequest['claims'] {
    return this.#claims;
  }

  /** What its token made of the request: everybody from here on sees it so. */
  replace({ headers, target, claims }: AuthenticatedRequest): void {
    this.#headers = headers;
    this.#claims = claims;
    this.#target = target;
    this.#path = withoutQuery(target);
  }

  /** All values of the name, joined by a comma; cookies by `; ` (RFC 9113 8.2.3). */
  header(name: string): string | undefined {
    const separator = name === 'cookie' ? '; ' : ',';
    let joined: string | undefined;
    for (const [own, value] of this.#headers)
      if (own === name) joined = joined === undefined ? value : `${joined}${separator}${value}`;
    return joined;
  }

  /** The values of all fields of the name, in order; of those that say what is asked for, what goes on to the endpoint. */
  headerValues(name: string): readonly string[] {
    if (name === ':path') return [this.#target];
    if (name === ':authority' || name === 'host') return [this.authority];
    return this.#headers.filter(([own]) => own === name).map(([, value]) => value);
  }

  /** The same request with other headers. */
  withHeaders(change: (headers: readonly HttpHeader[]) => readonly HttpHeader[]): RequestFields {
    const headers = change(this.#headers);
    const hasId = headers.some(([name]) => name === 'x-request-id');
    return new RequestFields(hasId ? headers : [...headers, ['x-request-id', this.requestId]]);
  }

  /**
   * The target as a route changes it; undefined when it gets dot segments by that (`/public../x` without `/public`): an
   * endpoint that resolves them would read a path that no policy has seen.
   */
  rewritten(change: PathChange | undefined): string | undefined {
    if (change === undefined) return this.target;
    const target = rewriteTarget(this.target, change, this.regexBudget);
    return DOT_SEGMENT.test(withoutQuery(target)) ? undefined : target;
  }

  /** What goes on to the endpoint. Unlike at a waypoint of Istio the client's IP is appended to `x-forwarded-for`. */
  forUpstream(version: UpstreamVersion, changes: RequestChanges, client: RequestClient): readonly HttpHeader[] {
    const { target } = changes;
    const headers: HttpHeader[] = [
      [':method', this.method],
      [':scheme', this.scheme],
      [':authority', changes.authority || this.authority],
      [':path', target],
    ];
    let addresses = '';
    let saysScheme = false;
    let saysId = false;
    for (const header of this.#headers) {
      const name = header[0];
      if (name.charCodeAt(0) === COLON || (version === 'http2' && name === 'upgrade')) continue;
      if (name === 'x-forwarded-for') addresses += `${header[1]},`;
      else if (!NOT_FORWARDED.has(name)) headers.push(header);
      saysScheme ||= name === 'x-forwarded-proto';
      saysId ||= name === 'x-request-id';
    }
    headers.push(['x-forwarded-for', addresses === ',' ? client.ip : addresses + client.ip]);
    if (client.certificate !== undefined) headers.push(['x-forwarded-client-cert', client.certificate]);
    if (!saysScheme) headers.push(['x-forwarded-proto', this.scheme]);
    if (!saysId) headers.push(['x-request-id', this.requestId]);
    if (target !== this.target) headers.push(['x-envoy-original-path', this.target]);
    return changes.headers.reduce<readonly HttpHeader[]>((list, change) => change?.(list) ?? list, headers);
  }
}

/** What a request is known by, found in one pass over its headers. */
interface KnownFields {
  method: string;
  scheme: string;
  path: string;
  authority: string | undefined;
  /** The last of them, and how many there are. */
  host: string;
  hosts: number;
  requestId: string;
  requestIds: number;
  /** The first. */
  contentType: string | undefined;
}

function readKnown(headers: readonly HttpHeader[]): KnownFields {
  const known: KnownFields = {
    method: '',
    scheme: 'http',
    path: '',
    authority: undefined,
    host: '',
    hosts: 0,
    requestId: '',
    requestIds: 0,
    contentType: undefined,
  };
  for (const [name, value] of headers) {
    switch (name) {
      case ':method':
        known.method = value;
        break;
      case ':scheme':
        known.scheme = value;
        break;
      case ':path':
        known.path = value;
        break;
      case ':authority':
        known.authority = value;
        break;
      case 'host':
        known.host = value;
        known.hosts += 1;
        break;
      case 'x-request-id':
        known.requestId = value;
        known.requestIds += 1;
        break;
      case 'content-type':
        known.contentType ??= value;
        break;
    }
  }
  return known;
}

function withoutQuery(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at);
}
