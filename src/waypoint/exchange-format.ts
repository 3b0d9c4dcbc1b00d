/** What values of headers are filled in from, of one request (facts l7-and-control 1.2, 8.4). */
import type { RequestSubject } from '../authz/request-subject.ts';
import type { Clock } from '../base/clock.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { HttpHeader } from '../http/http-stream.ts';
import { spiffeId } from '../model/spiffe.ts';
import type { AccessRecord } from './access-record.ts';
import { endpointAddress } from './endpoint-address.ts';
import type { UpstreamVersion } from './http-upstreams.ts';
import type { RequestFields } from './request-fields.ts';

/** What the requests of one connection have in common. */
export interface FormattedConnection {
  /** `ip:port`. */
  readonly clientAddress: string;
  /** What the client asked to be connected to. */
  readonly calledAddress: string;
  /** What the client speaks. */
  readonly spoken: UpstreamVersion;
  readonly subject: Pick<RequestSubject, 'identity' | 'sni'>;
  /** Of this waypoint. */
  readonly proxyName: string;
}

/** What is changed, and what it is or answers. */
export interface FormattedMessages {
  readonly request: RequestFields;
  /** As they are now: to the endpoint, or on the way there. */
  readonly requestHeaders: readonly HttpHeader[];
  /** Undefined before there is a response. */
  readonly responseHeaders: readonly HttpHeader[] | undefined;
  readonly upstreamCluster: string | undefined;
  readonly traceId?: string | undefined;
}

export class ExchangeFormat implements FormatContext {
  readonly #connection: FormattedConnection;
  readonly #messages: FormattedMessages;
  readonly #record: AccessRecord;
  readonly #clock: Clock;

  constructor(connection: FormattedConnection, messages: FormattedMessages, record: AccessRecord, clock: Clock) {
    this.#connection = connection;
    this.#messages = messages;
    this.#record = record;
    this.#clock = clock;
  }

  get startMs(): number {
    return this.#clock.nowMs() - this.#record.durationMs;
  }

  get durationMs(): number {
    return this.#record.durationMs;
  }

  get protocol(): string {
    return this.#connection.spoken === 'http2' ? 'HTTP/2' : 'HTTP/1.1';
  }

  get responseCode(): number | undefined {
    const status = this.responseHeader(':status');
    return status === undefined ? undefined : Number(status);
  }

  get responseFlags(): string {
    return this.#record.responseFlags;
  }

  get responseCodeDetails(): string | undefined {
    return this.#messages.responseHeaders && this.#record.details;
  }

  get downstreamRemoteAddress(): string {
    return this.#connection.clientAddress;
  }

  get downstreamLocalAddress(): string {
    return this.#connection.calledAddress;
  }

  get downstreamPeerUriSan(): string | undefined {
    const { identity } = this.#connection.subject;
    return identity && spiffeId(identity);
  }

  get requestedServerName(): string | undefined {
    return this.#connection.subject.sni;
  }

  get upstreamHost(): string | undefined {
    return this.#record.endpoint && endpointAddress(this.#record.endpoint);
  }

  get upstreamCluster(): string | undefined {
    return this.#messages.upstreamCluster;
  }

  get attemptCount(): number | undefined {
    return this.#record.attempts || undefined;
  }

  get bytesReceived(): number {
    return this.#record.receivedBytes;
  }

  get bytesSent(): number {
    return this.#record.sentBytes;
  }

  get transportFailure(): string | undefined {
    return this.#record.transportFailure;
  }

  get grpcStatus(): string {
    return this.#record.grpcStatus;
  }

  get traceId(): string | undefined {
    return this.#messages.traceId;
  }

  get requestMs(): number | undefined {
    return this.#record.requestMs;
  }

  get responseMs(): number | undefined {
    return this.#record.responseMs;
  }

  get routeName(): string {
    return this.#record.route;
  }

  get requestId(): string {
    return this.#messages.request.requestId;
  }

  get hostname(): string {
    return this.#connection.proxyName;
  }

  /** The path is the one that policies saw, until the request is on its way. */
  requestHeader(name: string): string | undefined {
    const { request, requestHeaders, responseHeaders } = this.#messages;
    if (responseHeaders === undefined && name === ':path') return request.target;
    if (responseHeaders === undefined && name === ':authority') return request.authority;
    return firstValue(requestHeaders, name);
  }

  responseHeader(name: string): string | undefined {
    return firstValue(this.#messages.responseHeaders ?? [], name);
  }
}

function firstValue(headers: readonly HttpHeader[], name: string): string | undefined {
  return headers.find(([own]) => own === name)?.[1];
}
