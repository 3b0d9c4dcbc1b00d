/**
 * One request through the waypoint, in phases: path normalisation, external check, token, authorization, route, CORS,
 * faults, upstream request, response, log (facts l7-and-control 1.2, 3.1, 5.4, 10.2, 10.4, 8.4).
 *
 * Invariants:
 * - No upstream hears of a request before policy let it through.
 * - Every request ends in exactly one line of the access log.
 */
import { randomBytes } from 'node:crypto';
import type { ShadowOutcome } from '../authz/shadow-policies.ts';
import type { Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Backend, Fault, Mirror } from '../proto/gen/ambit.ts';
import { type CompiledRoute, chooseBackend, type ForwardPlan, type RouteBackend } from '../routing/compile-routes.ts';
import type { ContextOf, HeaderChange } from '../routing/header-changes.ts';
import { requestTimeoutMs } from '../routing/request-timeout.ts';
import { AccessRecord, type RecordEvents } from './access-record.ts';
import { ExchangeAttributes } from './exchange-attributes.ts';
import { ExchangeFormat, type FormattedMessages } from './exchange-format.ts';
import { ExchangeSession } from './exchange-session.ts';
import { describeSpan, FinishedExchange } from './finished-exchange.ts';
import { type ForwardEvents, ForwardedRequest } from './forward-request.ts';
import { grpcWebRequest } from './grpc-web/grpc-web-request.ts';
import { GrpcWebStream } from './grpc-web/grpc-web-stream.ts';
import { type HashKey, hashKeyOf } from './hash-key.ts';
import type { HttpConnectionContext, HttpExchangeDeps } from './http-context.ts';
import type { UpstreamVersion } from './http-upstreams.ts';
import {
  afterRetries,
  clusterMissing,
  faultAbort,
  LOCAL_REPLIES,
  type LocalReply,
  sendLocalReply,
  tooCostly,
} from './local-reply.ts';
import { type AdmissionEvents, type AdmittedRequest, RequestAdmission } from './request-admission.ts';
import { type BodyEvents, RequestBody } from './request-body.ts';
import { clientHeaders, type RequestChanges, RequestFields } from './request-fields.ts';
import { chooseMirrors } from './request-mirrors.ts';
import { type RequestTrace, traceRequest } from './request-tracer.ts';
import { endpointAnswer, ResponseHeaders, replacing } from './response-headers.ts';
import { backendTarget, DEFAULT_PLAN, ownTarget, type RouteTarget } from './route-target.ts';
import type { TelemetryPlan } from './telemetry-settings.ts';
import type { Endpoint } from './upstreams.ts';

const MILLION = 1_000_000;
/** Switching Protocols. */
const UPGRADED = 101;
const MS_PER_SECOND = 1000;
/** Behind it goes what is done after the present call; `queueMicrotask` costs more. */
const DONE = Promise.resolve();
const NO_CHANGES: RequestChanges['headers'] = [];
const NO_CORS = { kind: 'none' } as const;
const NO_HASH_KEY: HashKey = { key: undefined, setCookie: undefined };

/** Takes a request. @returns the handler of its stream */
export function handleRequest(
  stream: HttpStream,
  headers: readonly HttpHeader[],
  endStream: boolean,
  context: HttpConnectionContext,
  deps: HttpExchangeDeps,
): HttpStreamHandler {
  const web = grpcWebRequest(headers);
  if (web === undefined || context.routes()?.grpcWeb !== true)
    return handlePlainRequest(stream, headers, endStream, context, deps);
  const grpc = new GrpcWebStream(stream, web);
  // gRPC is HTTP/2, whatever the browser speaks.
  grpc.setHandler(handlePlainRequest(grpc, web.headers, endStream, { ...context, preferred: 'http2' }, deps));
  return grpc;
}

function handlePlainRequest(
  stream: HttpStream,
  headers: readonly HttpHeader[],
  endStream: boolean,
  context: HttpConnectionContext,
  deps: HttpExchangeDeps,
): HttpStreamHandler {
  const exchange = new HttpExchange(stream, headers, endStream, context, deps);
  // The handler has to be in place before anything is answered.
  void DONE.then(() => exchange.start());
  return exchange.body;
}

class HttpExchange implements BodyEvents, AdmissionEvents, ForwardEvents, RecordEvents {
  readonly #stream: HttpStream;
  readonly #context: HttpConnectionContext;
  readonly #deps: HttpExchangeDeps;
  #request: RequestFields;
  readonly #record: AccessRecord;
  readonly #admission: RequestAdmission;
  readonly body: RequestBody;
  #forwarded: ForwardedRequest | undefined;
  #delay: Timer | undefined;
  readonly #response = new ResponseHeaders();
  #mirror: (() => void) | undefined;
  #isAllowed: () => boolean = () => true;
  #unwatch: (() => void) | undefined;
  #clusterName: string | undefined;
  readonly #plan: TelemetryPlan;
  readonly #isWithinShare: boolean;
  #trace: RequestTrace | undefined;
  #matched: CompiledRoute | undefined;
  /** What goes anywhere but to the service that was called, where others than its owner may send requests there. */
  #unedited: RequestFields | undefined;
  #answerHeaders: readonly HttpHeader[] | undefined;
  #session: ExchangeSession | undefined;
  /** As the endpoint gets them; the client's before. */
  #sentHeaders: readonly HttpHeader[];

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
    this.#sentHeaders = clientHeaders(headers);
    this.#request = new RequestFields(this.#sentHeaders);
    this.#plan = context.telemetry();
    this.#record = new AccessRecord(this.#request, context, deps, this);
    this.#isWithinShare = deps.requestShares.enter(context.clientKey);
    const { metrics, ownLine } = this.#plan;
    if (ownLine === undefined || ownLine.filter !== undefined) this.#record.hasOwnLine = () => this.#hasOwnLine();
    if (metrics !== undefined) {
      this.#record.views = () => metrics.views(() => this.#attributes(this.#finished()));
    }
    this.#admission = new RequestAdmission(this.#request, context, deps, this);
    this.body = new RequestBody(endStream, deps.replayBudget, this);
  }

  start(): void {
    try {
      if (this.body.closed === undefined) this.#start();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A defect that one request meets ends that request, and nobody else's. */
  #fail(error: unknown): void {
    this.#deps.accessLog.error('request failed', { error: errorText(error) });
    this.#forwarded?.cancel();
    if (this.#stream.state !== 'closed') this.#stream.reset(Http2Code.INTERNAL_ERROR);
    this.#record.broken(this.body);
  }

  #start(): void {
    const request = this.#request;
    const { tracing } = this.#plan;
    if (tracing !== undefined) {
      this.#trace = traceRequest(request, tracing, { random: this.#deps.random, ids: this.#deps.traceIds });
    }
    if (!this.#isWithinShare) return this.#reply(LOCAL_REPLIES.overloaded);
    if (!request.valid) return this.#reply(LOCAL_REPLIES.badRequest);
    const upgrade = request.header('upgrade');
    if (upgrade !== undefined && upgrade.toLowerCase() !== 'websocket')
      return this.#reply(LOCAL_REPLIES.upgradeRefused);
    this.#admission.start(this.#stream, this.body);
  }

  // What admission tells.

  onAdmitted(admitted: AdmittedRequest): void {
    try {
      this.#route(admitted);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRefused(reply: LocalReply): void {
    this.#reply(reply);
  }

  onShadow(shadow: ShadowOutcome): void {
    this.#record.shadow = shadow;
  }

  #route({ request, routed, unedited, responseEdits, isAllowed }: AdmittedRequest): void {
    this.#isAllowed = isAllowed;
    this.#request = request;
    this.#sentHeaders = request.headers;
    this.#response.edits = responseEdits;
    const routes = this.#context.routes()?.http;
    if (routes === undefined) return this.#forward(DEFAULT_PLAN, undefined);
    const route = routes.find(routed);
    if (this.#isTooCostly(routed)) return;
    if (route === undefined) return this.#reply(LOCAL_REPLIES.noRoute);
    this.#record.route = route.name;
    this.#matched = route;
    if (route.ofClients) this.#unedited = unedited;
    this.#response.add(route.responseHeaders);
    const cors = route.cors?.(this.#request) ?? NO_CORS;
    if (this.#isTooCostly(this.#request)) return;
    if (cors.kind === 'answer')
      return this.#reply({ status: 200, body: '', flag: '-', details: 'cors', headers: cors.headers });
    if (cors.kind === 'mark') this.#response.add(replacing(cors.headers));
    if (route.fault === undefined) this.#act(route);
    else this.#inject(route.fault, route);
  }

  /** Refuses a request that is longer than the regular expressions of its routes may be matched with. */
  #isTooCostly({ regexBudget: { exceededBy } }: RequestFields): boolean {
    if (exceededBy !== undefined) this.#reply(tooCostly(exceededBy));
    return exceededBy !== undefined;
  }

  /** Delay first, then abort, each by its own chance. */
  #inject(fault: Fault, route: CompiledRoute): void {
    const { clock, random } = this.#deps;
    const goOn = () => {
      if (this.body.closed !== undefined) return;
      if (random() * MILLION >= fault.abortSharePpm) return this.#act(route);
      const grpcStatus = fault.abortIsGrpc ? fault.abortGrpcStatus : undefined;
      this.#reply(faultAbort(fault.abortIsGrpc ? 200 : fault.abortStatus, grpcStatus));
    };
    if (random() * MILLION >= fault.delaySharePpm) return goOn();
    this.#record.flag('DI');
    this.#delay = clock.after(fault.delayMs, goOn);
  }

  #act(route: CompiledRoute): void {
    const { action } = route;
    if (action.kind === 'forward') return this.#forward(action.plan, route);
    const { status } = action;
    const direct = { status, flag: '-', details: 'direct_response' } as const;
    if (action.kind === 'respond') return this.#reply({ ...direct, body: action.body });
    const location = action.location(this.#request, this.#calledPort);
    if (this.#isTooCostly(this.#request)) return;
    this.#reply({ ...direct, body: '', headers: [['location', location]] });
  }

  get #calledPort(): number {
    return this.#context.target.port;
  }

  get #preferred(): UpstreamVersion {
    return this.#context.preferred ?? this.#context.spoken;
  }

  #forward(plan: ForwardPlan, route: CompiledRoute | undefined): void {
    const { target, self, forwarded } = this.#context;
    this.#readSession(plan);
    const backend = this.#chooseBackend(plan);
    const to = plan === DEFAULT_PLAN ? ownTarget(target, this.#preferred, this.#deps) : this.#targetOf(backend);
    if (backend === undefined || to === undefined) return this.#reply(clusterMissing(plan.missingStatus));
    const rewritten = this.#request.rewritten(backend.path);
    if (this.#isTooCostly(this.#request)) return;
    if (rewritten === undefined) return this.#reply(LOCAL_REPLIES.badRequest);
    this.#response.add(backend.responseHeaders);
    const { key: hashKey, setCookie } = this.#hashKey(to);
    if (setCookie !== undefined) this.#response.add((headers) => [...headers, ['set-cookie', setCookie]]);
    this.#clusterName = to.cluster.name;
    const changes = {
      target: rewritten,
      authority: backend.authority,
      headers: this.#requestChanges(route?.requestHeaders, backend.requestHeaders),
    };
    const timeoutMs = requestTimeoutMs(plan.timeoutMs, this.#request.grpcTimeout);
    this.#sentHeaders = this.#headersFor(to.version, changes, backend.backend);
    const request = {
      ...to,
      stream: this.#stream,
      body: this.body,
      headers: this.#sentHeaders,
      idempotent: this.#request.idempotent,
      self,
      forwarded,
      hashKey,
      endpointId: this.#session?.endpointId,
      retry: plan.retry,
      timeoutMs,
      isHurried: timeoutMs !== plan.timeoutMs,
    };
    if (plan.mirrors.length > 0) this.#prepareMirrors(plan, changes);
    this.#forwarded = new ForwardedRequest(request, this, this.#deps);
    this.#forwarded.start();
  }

  /** What routes change of the request, with what they fill in. */
  #requestChanges(...changes: readonly (HeaderChange | undefined)[]): RequestChanges['headers'] {
    const contextOf: ContextOf = (headers) => this.#formatContext(headers, undefined);
    if (changes.every((change) => change === undefined)) return NO_CHANGES;
    return changes.map((change) => change && ((headers: readonly HttpHeader[]) => change(headers, contextOf)));
  }

  /** The request as an endpoint of the backend gets it that speaks this version. */
  #headersFor(version: UpstreamVersion, changes: RequestChanges, backend: Backend | undefined): readonly HttpHeader[] {
    const request = this.#isElsewhere(backend) ? (this.#unedited ?? this.#request) : this.#request;
    const own = request.forUpstream(version, changes, this.#context.requestClient);
    return this.#trace?.write(own) ?? own;
  }

  /** Not at the service that was called. */
  #isElsewhere(backend: Backend | undefined): boolean {
    const { target } = this.#context;
    if (backend === undefined || target.kind !== 'service') return false;
    return backend.hostname !== target.service.hostname || backend.namespace !== target.service.namespace;
  }

  #readSession(plan: ForwardPlan): void {
    const policy = plan.session ?? this.#context.routes()?.session;
    if (policy === undefined) return;
    const nowSec = Math.floor(this.#deps.clock.nowMs() / MS_PER_SECOND);
    this.#session = new ExchangeSession(policy, (name) => this.#request.header(name), nowSec);
  }

  /** The one with the endpoint that the client had before; else one by weight. */
  #chooseBackend(plan: ForwardPlan): RouteBackend | undefined {
    const { self } = this.#context;
    const holds = (backend: RouteBackend, id: string) => this.#targetOf(backend)?.cluster.holds(self, id) === true;
    return this.#session?.backendOf(plan, holds) ?? chooseBackend(plan, this.#deps.random());
  }

  #formatContext(
    requestHeaders: readonly HttpHeader[],
    responseHeaders: readonly HttpHeader[] | undefined,
  ): ExchangeFormat {
    const messages = this.#messages(requestHeaders, responseHeaders);
    return new ExchangeFormat(this.#context, messages, this.#record, this.#deps.clock);
  }

  #messages(
    requestHeaders: readonly HttpHeader[],
    responseHeaders: readonly HttpHeader[] | undefined,
  ): FormattedMessages {
    const traceId = this.#trace?.traceId;
    return { request: this.#request, requestHeaders, responseHeaders, upstreamCluster: this.#clusterName, traceId };
  }

  #hashKey({ cluster }: RouteTarget): HashKey {
    const policy = cluster.policy?.loadBalancer?.hash;
    if (policy === undefined) return NO_HASH_KEY;
    const { subject } = this.#context;
    const request = this.#request;
    const hashed = { path: request.target, sourceIp: subject.sourceIp, header: (name: string) => request.header(name) };
    return hashKeyOf(policy, hashed, () => randomBytes(8).toString('hex'));
  }

  #targetOf(backend: RouteBackend | undefined): RouteTarget | undefined {
    const named = backend?.backend;
    return named && backendTarget(named, this.#calledPort, this.#preferred, this.#deps);
  }

  // What the tries tell.

  onEndpoint(endpoint: Endpoint, attempt: number): void {
    this.#record.endpoint = endpoint;
    this.#record.attempts = attempt;
  }

  onConnectFailed(reason: string): void {
    this.#record.transportFailure = reason;
  }

  onData(chunk: Buffer): void {
    this.#record.sent(chunk);
  }

  onTrailers(trailers: readonly HttpHeader[]): void {
    this.#record.responseFields(trailers);
  }

  onFailed(reply: LocalReply, retries: number): void {
    if (retries === 0) return this.#reply(reply);
    this.#record.flag('URX');
    this.#reply(afterRetries(reply));
  }

  onDone(aborted: 'upstream' | 'downstream' | 'timeout' | undefined): void {
    this.#unwatch?.();
    this.#record.end(aborted, this.body);
  }

  #prepareMirrors(plan: ForwardPlan, changes: RequestChanges): void {
    const { self, forwarded } = this.#context;
    const request = {
      body: this.body,
      self,
      forwarded,
      headersFor: (version: UpstreamVersion, { backend }: Mirror) => this.#headersFor(version, changes, backend),
      targetOf: ({ backend }: Mirror) =>
        backend && backendTarget(backend, this.#calledPort, this.#preferred, this.#deps),
    };
    this.#mirror = chooseMirrors(plan.mirrors, request, this.#deps);
    if (this.body.ended) this.#mirror?.();
    else if (this.#mirror !== undefined) this.body.retain();
  }

  // What the body tells.

  onBodyData(chunk: Buffer): void {
    this.#record.received(chunk);
  }

  onBodyEnded(): void {
    this.#record.requestMs = this.#record.durationMs;
    this.#forwarded?.bodyEnded();
    this.#mirror?.();
  }

  onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    const record = this.#record;
    record.status = Number(headers[0]?.[1] ?? 0);
    if (record.status === UPGRADED) this.#watchPolicies();
    record.responseFields(headers);
    const responseMs = record.durationMs;
    record.responseMs = responseMs;
    const changed = this.#changed(endpointAnswer(headers, responseMs));
    const sent = this.#session?.mark(changed, this.#record.endpoint) ?? changed;
    this.#answerHeaders = sent;
    return sent;
  }

  /** Behind an upgrade no more requests come that would be asked. */
  #watchPolicies(): void {
    this.#unwatch = this.#deps.openDecisions.add(() => {
      if (this.#isAllowed()) return;
      this.#record.isForbidden = true;
      this.#stream.reset(Http2Code.CANCEL);
    });
  }

  #changed(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    return this.#response.change(headers, (list) => this.#formatContext(this.#sentHeaders, list));
  }

  #reply(reply: LocalReply): void {
    if (this.body.closed !== undefined) return;
    const { isGrpc, method } = this.#request;
    const change = (headers: readonly HttpHeader[]) => this.#changed(headers);
    // The stream may be over as soon as it is answered.
    this.#record.answered(reply, this.body);
    sendLocalReply(this.#stream, reply, { isGrpc, isHead: method === 'HEAD', nowMs: this.#deps.clock.nowMs(), change });
    this.body.discard(this.#stream);
  }

  /** All is known of the request. */
  onRecorded(): void {
    if (this.#isWithinShare) this.#deps.requestShares.leave(this.#context.clientKey);
    const { logs } = this.#plan;
    if (this.#trace === undefined && logs.length === 0) return;
    const messages = this.#messages(this.#sentHeaders, this.#answerHeaders);
    const context = this.#finished(messages);
    this.#trace?.finish((plan) => describeSpan(plan, this.#context, messages, context, this.#record, this.#matched));
    for (const { write, filter } of logs) if (filter === undefined || filter(this.#attributes(context))) write(context);
  }

  #finished(messages = this.#messages(this.#sentHeaders, this.#answerHeaders)): FinishedExchange {
    return new FinishedExchange(this.#context, messages, this.#record, this.#deps.clock);
  }

  #attributes(context: FinishedExchange): ExchangeAttributes {
    return new ExchangeAttributes(this.#context, this.#request, context, this.#record);
  }

  /** Whether the waypoint's own line tells of the request. */
  #hasOwnLine(): boolean {
    const { ownLine } = this.#plan;
    if (ownLine?.filter === undefined) return ownLine !== undefined;
    return ownLine.filter(this.#attributes(this.#finished()));
  }

  onClientGone(): void {
    this.#admission.cancel();
    this.#delay?.cancel();
    this.#forwarded?.cancel();
    this.#record.clientGone(this.body);
  }
}
