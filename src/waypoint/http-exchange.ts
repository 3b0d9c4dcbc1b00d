/**
 * One request through the waypoint, in phases: path normalisation, authorization, upstream pick, upstream request, response, log
 * (facts l7-and-control 3.1, 5.4, 10.2, 10.4, 8.4).
 *
 * Invariants:
 * - No upstream hears of a request before policy let it through.
 * - Every request ends in exactly one line of the access log.
 */
import { randomUUID } from 'node:crypto';
import { authorizeRequest, type RequestPolicy } from '../authz/request-policy.ts';
import type { RequestSubject } from '../authz/request-subject.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { normalizePath } from '../http/normalize-path.ts';
import { spiffeId } from '../model/spiffe.ts';
import type { Workload } from '../model/workload.ts';
import type { ConnectTarget } from './connect-target.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';
import { accessDenied, type HttpResponseFlag, LOCAL_REPLIES, type LocalReply, sendLocalReply } from './local-reply.ts';
import type { HttpUpstream } from './pooled-connection.ts';
import { type ExchangeBytes, RequestBody, relayExchange } from './relay-exchange.ts';
import type { Endpoint, Upstreams } from './upstreams.ts';

/** What requests of one connection have in common. */
export interface HttpConnectionContext {
  readonly target: ConnectTarget;
  readonly self: Workload;
  /** `ip:port`. */
  readonly clientAddress: string;
  readonly forwarded: string;
  readonly version: UpstreamVersion;
  /** What policies see of the connection. */
  readonly subject: Omit<RequestSubject, 'http'>;
  /** The policies in force now. */
  policies(): readonly RequestPolicy[];
}

export interface HttpExchangeDeps {
  readonly clock: Clock;
  readonly accessLog: Logger;
  readonly upstreams: Upstreams;
  readonly http: HttpUpstreams;
}

/** Attempts on another connection when one that was kept open turns out to be gone. */
const MAX_STALE_RETRIES = 2;

/** Takes a request. @returns the handler of its stream */
export function handleRequest(
  stream: HttpStream,
  headers: readonly HttpHeader[],
  endStream: boolean,
  context: HttpConnectionContext,
  deps: HttpExchangeDeps,
): HttpStreamHandler {
  const exchange = new HttpExchange(stream, headers, endStream, context, deps);
  // The handler has to be in place before anything is answered.
  queueMicrotask(() => exchange.start());
  return exchange.body;
}

class HttpExchange {
  readonly #stream: HttpStream;
  readonly #context: HttpConnectionContext;
  readonly #deps: HttpExchangeDeps;
  readonly #request: RequestFields;
  readonly #bytes: ExchangeBytes = { received: 0, sent: 0 };
  readonly #startMs: number;
  readonly body: RequestBody;
  #endpoint: Endpoint | undefined;
  #status = 0;
  #flag: HttpResponseFlag = '-';
  #details = 'via_upstream';
  #logged = false;

  constructor(
    stream: HttpStream,
    headers: readonly HttpHeader[],
    endStream: boolean,
    context: HttpConnectionContext,
    deps: HttpExchangeDeps,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.#deps = deps;
    this.#request = new RequestFields(headers);
    this.#startMs = deps.clock.monotonicMs();
    this.body = new RequestBody(endStream, () => this.#clientGone());
  }

  start(): void {
    if (this.body.closed !== undefined) return;
    if (!this.#request.valid) return this.#reply(LOCAL_REPLIES.badRequest);
    const upgrade = this.#request.header('upgrade');
    if (upgrade !== undefined && upgrade.toLowerCase() !== 'websocket')
      return this.#reply(LOCAL_REPLIES.upgradeRefused);
    const { subject, policies } = this.#context;
    const http = {
      authority: this.#request.authority,
      method: this.#request.method,
      path: this.#request.path,
      header: (name: string) => this.#request.header(name),
      token: undefined,
    };
    const decision = authorizeRequest(policies(), { ...subject, http });
    if (!decision.allowed) return this.#reply(accessDenied(decision.rule));
    void this.#send(0);
  }

  async #send(retries: number): Promise<void> {
    const { target, self, version, forwarded } = this.#context;
    const endpoint = this.#deps.upstreams.pick(target, self);
    if (!endpoint.ok) return this.#reply(LOCAL_REPLIES.noHealthyUpstream);
    this.#endpoint = endpoint.value;
    const upstream = await this.#deps.http.acquire(endpoint.value, version, self, forwarded);
    if (this.body.closed !== undefined) {
      if (upstream.ok) upstream.value.release();
      return;
    }
    if (!upstream.ok) return this.#reply(LOCAL_REPLIES.connectFailed);
    this.#relay(upstream.value, retries);
  }

  #relay(upstream: HttpUpstream, retries: number): void {
    const mayRetry = retries < MAX_STALE_RETRIES;
    const again = () => {
      this.#stream.setHandler(this.body);
      void this.#send(retries + 1);
    };
    const refused = relayExchange(
      this.#stream,
      this.body,
      upstream,
      this.#request.forUpstream(this.#context.version),
      this.#bytes,
      {
        onResponse: (headers) => this.#onResponse(headers),
        onFailed: (reply, unseen) => {
          const repeatable = unseen === 'never' || (unseen === 'maybe' && upstream.reused && this.#request.idempotent);
          if (mayRetry && repeatable) again();
          else this.#reply(reply);
        },
        onDone: (aborted) => this.#onDone(aborted),
      },
    );
    if (refused === undefined) return;
    upstream.release();
    if (refused.code.endsWith('_HEADERS_INVALID')) this.#reply(LOCAL_REPLIES.badRequest);
    // The connection was lost, or filled up, while this request waited for it.
    else if (mayRetry) again();
    else this.#reply(LOCAL_REPLIES.connectFailed);
  }

  #onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    this.#status = Number(headers[0]?.[1] ?? 0);
    const serviceMs = Math.round(this.#deps.clock.monotonicMs() - this.#startMs);
    return [
      ...headers.filter(([name]) => name !== 'server' && name !== 'x-envoy-upstream-service-time'),
      ['x-envoy-upstream-service-time', String(serviceMs)],
      ['server', 'istio-envoy'],
    ];
  }

  #onDone(aborted: 'upstream' | 'downstream' | undefined): void {
    if (aborted === 'downstream') {
      this.#flag = 'DC';
      this.#details = 'downstream_remote_disconnect';
    } else if (aborted === 'upstream') {
      this.#flag = 'UC';
      this.#details = 'upstream_reset_after_response_started{connection_termination}';
    }
    this.#log();
  }

  #reply(reply: LocalReply): void {
    this.#status = reply.status;
    this.#flag = reply.flag;
    this.#details = reply.details;
    const { isGrpc, method } = this.#request;
    sendLocalReply(this.#stream, reply, { isGrpc, isHead: method === 'HEAD' });
    this.body.discard(this.#stream);
    this.#log();
  }

  #clientGone(): void {
    if (this.#status !== 0) return;
    this.#flag = 'DC';
    this.#details = 'downstream_remote_disconnect';
    this.#log();
  }

  #log(): void {
    if (this.#logged) return;
    this.#logged = true;
    const { accessLog, clock } = this.#deps;
    if (!accessLog.enabled('info')) return;
    const { target, clientAddress, subject } = this.#context;
    const service = target.kind === 'service' ? target.service : undefined;
    accessLog.info('request complete', {
      method: this.#request.method,
      path: this.#request.path,
      authority: this.#request.authority,
      response_code: this.#status,
      response_flags: this.#flag,
      response_code_details: this.#details,
      bytes_received: this.#bytes.received,
      bytes_sent: this.#bytes.sent,
      duration: Math.round(clock.monotonicMs() - this.#startMs),
      request_id: this.#request.requestId,
      'src.addr': clientAddress,
      'src.identity': subject.identity && spiffeId(subject.identity),
      'dst.service': service?.hostname,
      'dst.workload': this.#endpoint?.workload.name,
      'dst.namespace': this.#endpoint?.workload.namespace,
    });
  }
}

/** What may be sent again when it is not known whether somebody read it (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Headers of a client that speak of other hops, and so are not taken from it (facts l7-and-control 10.2). */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'host',
  'x-forwarded-client-cert',
  'proxy-connection',
  'keep-alive',
]);

/** A request's header list, with its pseudo-headers at hand. */
class RequestFields {
  readonly #headers: readonly HttpHeader[];
  readonly method: string;
  /** Normalised, which is also how it goes on; as it came when it cannot be. */
  readonly path: string;
  /** Whether the path can be normalised, and it is clear whom the request is for. */
  readonly valid: boolean;
  readonly authority: string;
  readonly requestId: string;
  readonly isGrpc: boolean;
  readonly idempotent: boolean;

  constructor(headers: readonly HttpHeader[]) {
    this.#headers = headers;
    this.method = this.header(':method') ?? '';
    const target = this.header(':path') ?? '';
    const path = normalizePath(target);
    this.path = path ?? target;
    // Where a client says it by `host` alone, that is what the endpoint will see (RFC 9113 8.3.1).
    const hosts = headers.filter(([name]) => name === 'host');
    this.authority = this.header(':authority') ?? (hosts.length === 1 ? (hosts[0]?.[1] ?? '') : '');
    this.valid = path !== undefined && this.authority !== '';
    this.requestId = this.header('x-request-id') ?? randomUUID();
    this.idempotent = IDEMPOTENT.has(this.method);
    this.isGrpc = this.header('content-type')?.startsWith('application/grpc') === true;
  }

  /** All values of the name, joined by a comma. */
  header(name: string): string | undefined {
    let joined: string | undefined;
    for (const [own, value] of this.#headers)
      if (own === name) joined = joined === undefined ? value : `${joined},${value}`;
    return joined;
  }

  /** What goes on to the endpoint. */
  forUpstream(version: UpstreamVersion): readonly HttpHeader[] {
    const own = this.#headers.filter(
      ([name]) => !name.startsWith(':') && !NOT_FORWARDED.has(name) && !(version === 'http2' && name === 'upgrade'),
    );
    const scheme = this.header(':scheme') ?? 'http';
    const headers: HttpHeader[] = [
      [':method', this.method],
      [':scheme', scheme],
      [':authority', this.authority],
      [':path', this.path],
      ...own,
    ];
    if (this.header('x-forwarded-proto') === undefined) headers.push(['x-forwarded-proto', scheme]);
    if (this.header('x-request-id') === undefined) headers.push(['x-request-id', this.requestId]);
    return headers;
  }
}
