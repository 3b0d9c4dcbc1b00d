/** What is told of a request when it is over: one line of the access log, and its metrics (facts l7-and-control 7, 8.4, 8.5). */
import { hideParams } from '../authn/query-params.ts';
import type { RequestSubject } from '../authz/request-subject.ts';
import { type ShadowOutcome, shadowFields } from '../authz/shadow-policies.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { HttpHeader } from '../http/http-stream.ts';
import { spiffeId } from '../model/spiffe.ts';
import { GrpcMessageCounter } from '../telemetry/grpc-messages.ts';
import type { MetricView } from '../telemetry/metric-view.ts';
import type { RequestOutcome } from '../telemetry/request-metrics.ts';
import type { ConnectTarget } from './connect-target.ts';
import { grpcStatusOf, type HttpResponseFlag, type LocalReply } from './local-reply.ts';
import type { RequestFields } from './request-fields.ts';
import type { ClientLabels, RequestTelemetry } from './request-telemetry.ts';
import type { Endpoint } from './upstreams.ts';

/** The connection that a request came on. */
export interface RecordedConnection {
  readonly target: ConnectTarget;
  readonly client: ClientLabels;
  /** `ip:port`. */
  readonly clientAddress: string;
  readonly subject: Pick<RequestSubject, 'identity'>;
  /** The rules for tokens, which must not be read in a log. */
  tokenRules(): { readonly params: readonly string[] } | undefined;
}

export interface RecordDeps {
  readonly clock: Clock;
  readonly accessLog: Logger;
  /** For those who watch, where requests have no line in the log. */
  readonly tapLog: Logger;
  readonly telemetry: Pick<RequestTelemetry, 'count'>;
}

export interface RecordEvents {
  /** All is known of the request; once. */
  onRecorded(): void;
}

interface Received {
  readonly receivedBytes: number;
}

/** Carries a token by its name (RFC 6750), whether or not somebody here asks for it. */
const TOKEN_PARAM = 'access_token';
const TOKEN_PARAMS: readonly string[] = [TOKEN_PARAM];
/** Statuses of gRPC; whatever else an endpoint writes there is not one. */
const GRPC_STATUS = /^(?:[0-9]|1[0-6])$/;

export class AccessRecord {
  readonly #request: RequestFields;
  readonly #connection: RecordedConnection;
  readonly #deps: RecordDeps;
  readonly #events: RecordEvents;
  readonly #hiddenParams: readonly string[];
  readonly #startMs: number;
  readonly #flags: HttpResponseFlag[] = [];
  readonly #requestMessages: GrpcMessageCounter | undefined;
  readonly #responseMessages: GrpcMessageCounter | undefined;
  #details = 'via_upstream';
  #grpcStatus = '';
  #sentBytes = 0;
  #receivedBytes = 0;
  #written = false;
  status = 0;
  route = '';
  endpoint: Endpoint | undefined;
  /** What policies say of the request that decide nothing. */
  shadow: ShadowOutcome | undefined;
  /** Whether it was ended because policy changed while it was open. */
  isForbidden = false;
  /** From the start until the request was whole, and until the response began; undefined before. */
  requestMs: number | undefined;
  responseMs: number | undefined;
  /** Which metrics it is counted in; undefined for all. */
  views: (() => readonly MetricView[]) | undefined;
  /** Whether the waypoint's own line is written; undefined: it is. */
  hasOwnLine: (() => boolean) | undefined;
  /** Tries of the request; 0 before the first. */
  attempts = 0;
  /** Why there was no connection to an endpoint, the last time. */
  transportFailure: string | undefined;

  constructor(request: RequestFields, connection: RecordedConnection, deps: RecordDeps, events: RecordEvents) {
    this.#events = events;
    this.#request = request;
    this.#connection = connection;
    const named = connection.tokenRules()?.params ?? TOKEN_PARAMS;
    this.#hiddenParams = named.includes(TOKEN_PARAM) ? named : [...named, TOKEN_PARAM];
    this.#deps = deps;
    this.#startMs = deps.clock.monotonicMs();
    if (!request.isGrpc) return;
    this.#requestMessages = new GrpcMessageCounter();
    this.#responseMessages = new GrpcMessageCounter();
  }

  get durationMs(): number {
    return this.#deps.clock.monotonicMs() - this.#startMs;
  }

  /** By their short names; empty for none. */
  get responseFlags(): string {
    return this.#flags.join(',');
  }

  /** How the answer came about. */
  get details(): string {
    return this.#details;
  }

  /** Of gRPC; empty for what is not. */
  get grpcStatus(): string {
    return this.#grpcStatus;
  }

  /** Of the request's body; known at the end. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Parameters of the target that must not be read in a log. */
  get hiddenParams(): readonly string[] {
    return this.#hiddenParams;
  }

  flag(flag: HttpResponseFlag): void {
    if (flag !== '-') this.#flags.push(flag);
  }

  /** A part of the request's body came. */
  received(chunk: Buffer): void {
    this.#requestMessages?.receive(chunk);
  }

  /** A part of the response's body came. */
  sent(chunk: Buffer): void {
    this.#sentBytes += chunk.length;
    this.#responseMessages?.receive(chunk);
  }

  /** Headers or trailers of the response. */
  responseFields(fields: readonly HttpHeader[]): void {
    if (!this.#request.isGrpc) return;
    const status = fields.find(([name]) => name === 'grpc-status')?.[1];
    if (status !== undefined && GRPC_STATUS.test(status)) this.#grpcStatus = status;
  }

  /** The waypoint answered itself. */
  answered(reply: LocalReply, body: Received): void {
    this.status = this.#request.isGrpc ? 200 : reply.status;
    if (this.#request.isGrpc) this.#grpcStatus = String(grpcStatusOf(reply));
    this.#sentBytes = reply.body.length;
    this.#flags.unshift(...(reply.flag === '-' ? [] : [reply.flag]));
    this.#details = reply.details;
    this.#write(body);
  }

  /** An endpoint's answer is over, or was cut. */
  end(aborted: 'upstream' | 'downstream' | 'timeout' | undefined, body: Received): void {
    if (this.isForbidden) this.#details = 'policy_changed';
    else if (aborted === 'downstream') this.#disconnected();
    else if (aborted !== undefined) {
      this.flag(aborted === 'timeout' ? 'UT' : 'UC');
      const reason = aborted === 'timeout' ? 'response_timeout' : 'connection_termination';
      this.#details = `upstream_reset_after_response_started{${reason}}`;
    }
    this.#write(body);
  }

  /** A defect of the waypoint itself ended it. */
  broken(body: Received): void {
    this.#details = 'internal_error';
    this.#write(body);
  }

  /** The client went before there was an answer. */
  clientGone(body: Received): void {
    this.#disconnected();
    this.#write(body);
  }

  #disconnected(): void {
    this.flag('DC');
    this.#details = 'downstream_remote_disconnect';
  }

  #write({ receivedBytes }: Received): void {
    if (this.#written) return;
    this.#written = true;
    try {
      this.#tell(receivedBytes);
    } finally {
      this.#events.onRecorded();
    }
  }

  #tell(receivedBytes: number): void {
    this.#receivedBytes = receivedBytes;
    const { target, client } = this.#connection;
    const service = target.kind === 'service' ? target.service : undefined;
    const durationMs = this.durationMs;
    const flags = this.#flags.join(',') || '-';
    const outcome: RequestOutcome = {
      protocol: this.#request.isGrpc ? 'grpc' : 'http',
      code: this.status,
      grpcStatus: this.#grpcStatus,
      flags,
      durationMs,
      requestBytes: receivedBytes,
      responseBytes: this.#sentBytes,
      requestMessages: this.#requestMessages?.messages ?? 0,
      responseMessages: this.#responseMessages?.messages ?? 0,
    };
    this.#deps.telemetry.count(client, service, this.endpoint, outcome, this.views?.());
    const log = this.hasOwnLine?.() !== false ? this.#deps.accessLog : this.#deps.tapLog;
    if (log.enabled('info')) this.#log(log, receivedBytes, durationMs, flags);
  }

  #log(log: Logger, receivedBytes: number, durationMs: number, flags: string): void {
    const { target, client, clientAddress, subject } = this.#connection;
    log.info('request complete', {
      method: this.#request.method,
      path: hideParams(this.#request.target, this.#hiddenParams),
      authority: this.#request.authority,
      response_code: this.status,
      response_flags: flags,
      response_code_details: this.#details,
      ...(this.transportFailure !== undefined && { upstream_transport_failure_reason: this.transportFailure }),
      bytes_received: receivedBytes,
      bytes_sent: this.#sentBytes,
      duration: Math.round(durationMs),
      request_id: this.#request.requestId,
      ...(this.route === '' ? {} : { route_name: this.route }),
      ...shadowFields(this.shadow),
      'src.addr': clientAddress,
      'src.workload': client.peer.workload || undefined,
      'src.namespace': client.peer.namespace || undefined,
      'src.identity': subject.identity && spiffeId(subject.identity),
      'dst.service': target.kind === 'service' ? target.service.hostname : undefined,
      'dst.workload': this.endpoint?.workload.name,
      'dst.namespace': this.endpoint?.workload.namespace,
    });
  }
}
