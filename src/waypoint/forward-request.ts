/**
 * A request on its way to the endpoints of a cluster: tries, timeouts, retries (facts l7-and-control 1.2, 10.3, 10.6).
 *
 * Invariants:
 * - At any time a request has at most one try, one timer of a kind, and its permits, which all end with it.
 * - A request is sent again only while its body is whole and no response began.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Result } from '../base/result.ts';
import type { ProxyError } from '../hbone/proxy-error.ts';
import type { HttpHeader, HttpStream } from '../http/http-stream.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Workload } from '../model/workload.ts';
import { ATTEMPT_COUNT_HEADER } from '../routing/header-changes.ts';
import type { CompiledRetry, TryOutcome } from '../routing/retry-policy.ts';
import { RequestEnd } from './cancellation.ts';
import type { Cluster, Permit, PickedEndpoint } from './clusters.ts';
import { connectOutcome } from './connect-outcome.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';
import { LOCAL_REPLIES, type LocalReply } from './local-reply.ts';
import type { HttpUpstream } from './pooled-connection.ts';
import { type ExchangeEvents, type ExchangeFailure, type RunningExchange, relayExchange } from './relay-exchange.ts';
import type { RequestBody } from './request-body.ts';
import type { Endpoint } from './upstreams.ts';

/** What is sent, and where to. */
export interface OutboundRequest {
  readonly stream: HttpStream;
  readonly body: RequestBody;
  readonly headers: readonly HttpHeader[];
  /** Whether it may be sent again when it is not known whether somebody read it. */
  readonly idempotent: boolean;
  readonly cluster: Cluster;
  readonly version: UpstreamVersion;
  readonly self: Workload;
  /** Names the client to the endpoint's tunnel. */
  readonly forwarded: string;
  readonly hashKey: string | undefined;
  /** Of the endpoint that the client had before. */
  readonly endpointId: string | undefined;
  readonly retry: CompiledRetry;
  /** 0 for none. */
  readonly timeoutMs: number;
  /** Whether the client asked for less time than the route gives. */
  readonly isHurried: boolean;
}

export interface ForwardEvents {
  /** A try goes to this endpoint. @param attempt 1 for the first one */
  onEndpoint(endpoint: Endpoint, attempt: number): void;
  /** There is no connection to it, for this reason. */
  onConnectFailed(reason: string): void;
  /** Before the final response's headers go out. Returns what goes out. */
  onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[];
  onData(chunk: Buffer): void;
  onTrailers(trailers: readonly HttpHeader[]): void;
  /** No endpoint answered; nothing was answered yet. @param retries tries after the first one */
  onFailed(reply: LocalReply, retries: number): void;
  /** Everything is over. `aborted`: after the response began, or by the client. */
  onDone(aborted: 'upstream' | 'downstream' | 'timeout' | undefined): void;
}

export interface ForwardDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly http: HttpUpstreams;
}

/** Attempts on another connection when one that was kept open turns out to be gone. */
const MAX_STALE_RETRIES = 2;

const NO_IDS: ReadonlySet<string> = new Set();

export class ForwardedRequest implements ExchangeEvents {
  readonly #request: OutboundRequest;
  readonly #events: ForwardEvents;
  readonly #deps: ForwardDeps;
  /** Endpoints that failed it; made with the first one. */
  #avoid: Set<string> | undefined;
  /** Priorities of the tries so far, and those that had their share of them; made when that is counted. */
  #tried: number[] | undefined;
  #leave: Set<number> | undefined;
  /** Of the endpoint that the client had before, until a try there failed. */
  #endpointId: string | undefined;
  #permit: Permit | undefined;
  /** Of the present retry: a request counts as one, however often it was sent. */
  #retryPermit: Permit | undefined;
  #retries = 0;
  #stale = 0;
  #picked: PickedEndpoint | undefined;
  #exchange: RunningExchange | undefined;
  /** Whether the connection of the present try had carried requests before. */
  #wasReused = false;
  #status = 0;
  #totalTimer: Timer | undefined;
  /** Of the present try, or the pause before the next. */
  #tryTimer: Timer | undefined;
  #timedOut = false;
  readonly #ended = new RequestEnd();

  constructor(request: OutboundRequest, events: ForwardEvents, deps: ForwardDeps) {
    this.#request = request;
    this.#endpointId = request.endpointId;
    this.#events = events;
    this.#deps = deps;
  }

  start(): void {
    this.#permit = this.#request.cluster.admitRequest();
    if (this.#permit === undefined) return this.#fail(LOCAL_REPLIES.upstreamOverflow);
    if (this.#request.body.ended) this.bodyEnded();
    this.#try();
  }

  /** The client has sent all of the request: from here on its time counts. */
  bodyEnded(): void {
    const { timeoutMs } = this.#request;
    if (this.#ended.aborted) return;
    if (timeoutMs > 0) this.#totalTimer ??= this.#deps.clock.after(timeoutMs, () => this.#outOfTime());
    this.#startTryTimer();
  }

  /** A try has its time from the end of the body on, as nobody else than the client is slow before. */
  #startTryTimer(): void {
    const { perTryTimeoutMs } = this.#request.retry;
    if (perTryTimeoutMs === 0 || this.#exchange === undefined || this.#exchange.responded) return;
    this.#tryTimer?.cancel();
    this.#tryTimer = this.#deps.clock.after(perTryTimeoutMs, () => this.#tryOutOfTime());
  }

  /** The client went away while no endpoint had the request. */
  cancel(): void {
    this.#end();
  }

  #try(): void {
    const { cluster, self, version, forwarded, hashKey } = this.#request;
    const endpointId = this.#endpointId;
    const picked = cluster.pick(self, { hashKey, avoid: this.#avoid ?? NO_IDS, leave: this.#leave, endpointId });
    if (picked === undefined) return this.#fail(LOCAL_REPLIES.noHealthyUpstream);
    this.#picked = picked;
    this.#events.onEndpoint(picked.endpoint, this.#retries + 1);
    const { http } = this.#deps;
    const upstream = http.acquire(picked.endpoint, version, self, forwarded, cluster.policy, this.#ended);
    if (upstream instanceof Promise) void upstream.then((acquired) => this.#acquired(picked, acquired));
    else this.#acquired(picked, upstream);
  }

  #acquired(picked: PickedEndpoint, upstream: Result<HttpUpstream, ProxyError>): void {
    if (this.#ended.aborted || this.#request.body.closed !== undefined) {
      if (upstream.ok) upstream.value.release();
      if (this.#picked === picked) this.#finishTry(undefined);
      return;
    }
    if (upstream.ok) return this.#send(upstream.value);
    if (upstream.error.code === 'UPSTREAM_OVERFLOW') return this.#fail(LOCAL_REPLIES.upstreamOverflow);
    this.#events.onConnectFailed(upstream.error.message);
    const outcome = connectOutcome(upstream.error);
    this.#finishTry(outcome);
    if (outcome === undefined) return this.#fail(LOCAL_REPLIES.connectFailed);
    const wasNamed = this.#endpointId !== undefined;
    this.#endpointId = undefined;
    // The endpoint that a client had before may well be gone: that says nothing about the others.
    if (wasNamed) this.#try();
    else this.#failedTry({ kind: 'connect-failure' }, LOCAL_REPLIES.connectFailed);
  }

  #send(upstream: HttpUpstream): void {
    const { stream, body, retry } = this.#request;
    const headers = [...this.#request.headers, attemptCount(this.#retries + 1)];
    const picked = this.#picked;
    this.#wasReused = upstream.reused;
    const exchange = relayExchange(stream, upstream, { headers, body, keepBody: retry.attempts > this.#retries }, this);
    if (exchange.ok) {
      // It may have failed already, and the next try be on its way.
      if (this.#ended.aborted || this.#picked !== picked) return;
      this.#exchange = exchange.value;
      if (body.ended) this.#startTryTimer();
      return;
    }
    upstream.release();
    this.#finishTry(undefined);
    if (exchange.error.code.endsWith('_HEADERS_INVALID')) this.#fail(LOCAL_REPLIES.badRequest);
    // The connection was lost, or filled up, while this request waited for it.
    else if (this.#stale++ < MAX_STALE_RETRIES) this.#try();
    else this.#failedTry({ kind: 'connect-failure' }, LOCAL_REPLIES.connectFailed);
  }

  // What the present try tells.

  /** Whether an answer is worse than another try. */
  rejects(headers: readonly HttpHeader[]): boolean {
    if (this.#retries >= this.#request.retry.attempts) return false;
    const status = Number(headers[0]?.[1] ?? 0);
    const header = (name: string) => headers.find(([own]) => own === name)?.[1];
    if (!this.#mayRetry({ kind: 'response', status, header })) return false;
    this.#exchange = undefined;
    this.#finishTry({ kind: 'status', status });
    this.#retryLater();
    return true;
  }

  onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    this.#tryTimer?.cancel();
    this.#status = Number(headers[0]?.[1] ?? 0);
    return this.#events.onResponse(headers);
  }

  onData(chunk: Buffer): void {
    this.#events.onData(chunk);
  }

  onTrailers(trailers: readonly HttpHeader[]): void {
    this.#events.onTrailers(trailers);
  }

  onFailed({ reply, unseen }: ExchangeFailure): void {
    const { body, idempotent } = this.#request;
    const isStale = unseen === 'never' || (unseen === 'maybe' && this.#wasReused && idempotent);
    this.#exchange = undefined;
    this.#finishTry(isStale ? undefined : { kind: 'reset' });
    if (isStale && body.whole && this.#stale++ < MAX_STALE_RETRIES) this.#try();
    else this.#failedTry(unseen === 'never' ? { kind: 'refused' } : { kind: 'reset', sent: true }, reply);
  }

  #failedTry(outcome: TryOutcome, reply: LocalReply): void {
    if (this.#mayRetry(outcome)) this.#retryLater();
    else this.#fail(reply);
  }

  /** Whether there is another try; takes the permit for it. */
  #mayRetry(outcome: TryOutcome): boolean {
    const { retry, body, cluster } = this.#request;
    if (this.#ended.aborted || this.#retries >= retry.attempts || !body.whole || !retry.wants(outcome)) return false;
    this.#retryPermit?.release();
    this.#retryPermit = cluster.admitRetry();
    return this.#retryPermit !== undefined;
  }

  #retryLater(): void {
    const { clock, random } = this.#deps;
    this.#retries += 1;
    this.#endpointId = undefined;
    const pauseMs = this.#request.retry.pauseMs(this.#retries, random());
    this.#tryTimer = clock.after(pauseMs, () => this.#try());
  }

  #tryOutOfTime(): void {
    if (this.#exchange === undefined || this.#exchange.responded) return;
    this.#exchange.abandon();
    this.#exchange = undefined;
    this.#finishTry({ kind: 'timeout' });
    this.#failedTry({ kind: 'timeout' }, LOCAL_REPLIES.tryTimeout);
  }

  #outOfTime(): void {
    if (this.#exchange?.responded === true) {
      this.#timedOut = true;
      this.#request.stream.reset(Http2Code.INTERNAL_ERROR);
      return;
    }
    // While it waits for a connection it is not the endpoint that is slow, nor where the client is in a hurry.
    const isEndpoints = this.#exchange !== undefined && !this.#request.isHurried;
    this.#exchange?.abandon();
    this.#finishTry(isEndpoints ? { kind: 'timeout' } : undefined);
    this.#fail(LOCAL_REPLIES.requestTimeout);
  }

  onDone(aborted: 'upstream' | 'downstream' | undefined): void {
    if (aborted === 'upstream') this.#finishTry({ kind: 'reset' });
    else this.#finishTry(this.#status === 0 ? undefined : { kind: 'status', status: this.#status });
    if (this.#end()) this.#events.onDone(this.#timedOut ? 'timeout' : aborted);
  }

  #finishTry(outcome: Parameters<PickedEndpoint['done']>[0]): void {
    this.#tryTimer?.cancel();
    const picked = this.#picked;
    this.#picked = undefined;
    if (picked === undefined) return;
    picked.done(outcome);
    if (outcome === undefined) return;
    const { avoidsPrevious, triesPerPriority } = this.#request.retry;
    if (avoidsPrevious) {
      this.#avoid ??= new Set();
      this.#avoid.add(picked.endpoint.workload.uid);
    }
    if (triesPerPriority > 0) this.#noteTried(picked.priority, triesPerPriority);
  }

  /** After every few tries the priorities that they went to are left. */
  #noteTried(priority: number, triesPerPriority: number): void {
    this.#tried ??= [];
    this.#tried.push(priority);
    if (this.#tried.length % triesPerPriority !== 0) return;
    this.#leave ??= new Set();
    for (const one of this.#tried) this.#leave.add(one);
  }

  #fail(reply: LocalReply): void {
    if (this.#end()) this.#events.onFailed(reply, this.#retries);
  }

  /** @returns false when it was over before */
  #end(): boolean {
    if (this.#ended.aborted) return false;
    this.#ended.abort();
    this.#totalTimer?.cancel();
    this.#finishTry(undefined);
    this.#permit?.release();
    this.#retryPermit?.release();
    return true;
  }
}

const FIRST_ATTEMPT: HttpHeader = [ATTEMPT_COUNT_HEADER, '1'];

function attemptCount(attempt: number): HttpHeader {
  return attempt === 1 ? FIRST_ATTEMPT : [ATTEMPT_COUNT_HEADER, String(attempt)];
}
