/**
 * One try of a request on an upstream connection: body and trailers up, response down, both at the pace of the slower
 * side.
 *
 * Invariants:
 * - Credit goes back to a sender only for bytes that the other side took.
 * - The outcome is reported exactly once: `onFailed`, `onRejected`, or `onDone` when both sides are over.
 * - Once a response began, a failure cuts it visibly; before, it is the caller's to answer or to try again.
 */
import type { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { StreamPipe } from '../http/stream-pipe.ts';
import { Http2Code } from '../http2/http2-error.ts';
import { LOCAL_REPLIES, type LocalReply } from './local-reply.ts';
import type { HttpUpstream } from './pooled-connection.ts';
import type { RequestBody } from './request-body.ts';

export interface ExchangeEvents {
  /** Whether the answer is dropped: the request is sent again, and this try is abandoned. */
  rejects(headers: readonly HttpHeader[]): boolean;
  /** The final response's headers, before they go out. Returns what goes out. */
  onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[];
  /** A part of the response's body came. */
  onData(chunk: Buffer): void;
  onTrailers(trailers: readonly HttpHeader[]): void;
  /** The upstream failed before a response. The request can be sent again if its body is whole. */
  onFailed(failure: ExchangeFailure): void;
  /** Everything is over. `aborted`: after the response began, or by the client. */
  onDone(aborted: 'upstream' | 'downstream' | undefined): void;
}

export interface ExchangeFailure {
  readonly reply: LocalReply;
  /** Whether the endpoint read the request: never, or not known as when it grew tired of an idle connection just then. */
  readonly unseen: 'never' | 'maybe' | undefined;
}

/** A try that is under way. */
export interface RunningExchange {
  readonly responded: boolean;
  /** Ends the upstream's side without a word to the client, whose stream is free for another try or an answer. */
  abandon(): void;
}

export interface ExchangeRequest {
  readonly headers: readonly HttpHeader[];
  readonly body: RequestBody;
  /** Whether this may not be the last try. */
  readonly keepBody: boolean;
}

/** Sends the request and relays until both sides are over. Fails with why the connection does not take it. */
export function relayExchange(
  downstream: HttpStream,
  upstream: HttpUpstream,
  { headers, body, keepBody }: ExchangeRequest,
  events: ExchangeEvents,
): Result<RunningExchange, AmbitError> {
  const exchange = new Exchange(downstream, body, events);
  // What asks for a tunnel has no body: bytes follow only once it was granted.
  const asksForTunnel = headers.some(([name]) => name === 'upgrade');
  const opened = upstream.request(headers, exchange, body.empty || asksForTunnel);
  if (!opened.ok) return fail(opened.error);
  exchange.start(opened.value, keepBody && !asksForTunnel);
  return ok(exchange);
}

/** Handler of both streams: what is not about the client's is about the upstream's. */
class Exchange implements RunningExchange, HttpStreamHandler {
  readonly #downstream: HttpStream;
  readonly #body: RequestBody;
  readonly #events: ExchangeEvents;
  #upstream: HttpStream | undefined;
  /** Body and trailers of the request that wait for the upstream. */
  readonly #up = new StreamPipe();
  readonly #down = new StreamPipe();
  #responded = false;
  #downstreamClosed = false;
  #upstreamClosed = false;
  #abandoned = false;
  #aborted: 'upstream' | 'downstream' | undefined;

  constructor(downstream: HttpStream, body: RequestBody, events: ExchangeEvents) {
    this.#downstream = downstream;
    this.#body = body;
    this.#events = events;
  }

  get responded(): boolean {
    return this.#responded;
  }

  start(upstream: HttpStream, keepBody: boolean): void {
    const body = this.#body;
    const downstream = this.#downstream;
    this.#upstream = upstream;
    this.#up.connect(this, upstream);
    this.#down.connect(upstream, downstream);
    downstream.setHandler(this);
    if (body.empty) this.#up.ended = true;
    else {
      body.sendTo((chunk) => this.#up.data(chunk), keepBody);
      if (body.trailers !== undefined) this.#up.trailers(body.trailers);
      if (body.ended) this.#up.end();
    }
    if (downstream.state === 'closed') this.onClosed(downstream, { kind: 'reset', by: 'peer', code: Http2Code.CANCEL });
  }

  abandon(): void {
    if (this.#abandoned || this.#upstreamClosed) return;
    this.#abandoned = true;
    this.#body.pause();
    this.#downstream.setHandler(this.#body);
    this.#up.abandon();
    this.#upstream?.reset(Http2Code.CANCEL);
  }

  /** The upstream took bytes of the request. */
  consume(bytes: number): void {
    this.#body.consume(this.#downstream, bytes);
  }

  /** The upstream takes no more of the request. */
  releaseCredit(): void {
    this.#body.release(this.#downstream);
  }

  onHeaders(stream: HttpStream, headers: readonly HttpHeader[], endStream: boolean): void {
    if (stream !== this.#downstream) return this.#headers(headers, endStream);
    this.#body.onHeaders(stream, headers);
    this.#up.trailers(this.#body.trailers ?? []);
  }

  onData(stream: HttpStream, chunk: Buffer): void {
    if (stream === this.#downstream) {
      this.#body.receive(chunk);
      this.#up.data(chunk);
    } else if (this.#abandoned) stream.consume(chunk.length);
    else {
      this.#events.onData(chunk);
      this.#down.data(chunk);
    }
  }

  onEnd(stream: HttpStream): void {
    if (stream === this.#downstream) {
      this.#body.onEnd();
      this.#up.end();
    } else if (!this.#abandoned) this.#down.end();
  }

  onWritable(stream: HttpStream): void {
    if (stream === this.#downstream) this.#down.resume();
    else if (!this.#abandoned) this.#up.resume();
  }

  onClosed(stream: HttpStream, reason: HttpCloseReason): void {
    stream.releaseCredit();
    if (stream === this.#downstream) this.#downstreamOver(reason);
    else this.#upstreamOver(reason);
  }

  #downstreamOver(reason: HttpCloseReason): void {
    this.#downstreamClosed = true;
    this.#body.closed = reason;
    this.#body.forget();
    this.#down.abandon();
    if (reason.kind !== 'normal' && !this.#upstreamClosed) {
      this.#aborted ??= 'downstream';
      this.#upstream?.reset(Http2Code.CANCEL);
    }
    this.#finish();
  }

  #upstreamOver(reason: HttpCloseReason): void {
    this.#upstreamClosed = true;
    if (this.#abandoned) return;
    this.#up.abandon();
    this.#judge(reason);
    this.#finish();
  }

  #headers(headers: readonly HttpHeader[], endStream: boolean): void {
    if (this.#abandoned) return;
    const status = headers[0]?.[0] === ':status' ? headers[0][1] : undefined;
    if (status === undefined) {
      this.#events.onTrailers(headers);
      return this.#down.trailers(headers);
    }
    if (status.startsWith('1') && status !== '101') {
      this.#downstream.respond(headers);
      return;
    }
    if (this.#events.rejects(headers)) return this.abandon();
    this.#responded = true;
    // An answer is on its way: no other try follows.
    if (!this.#body.retained) this.#body.forget();
    if (!this.#downstream.respond(this.#events.onResponse(headers), endStream)) {
      // A client that takes no headers of this size, most of all: a body without them would be an error of ours.
      this.#aborted ??= 'downstream';
      return this.#downstream.reset(Http2Code.INTERNAL_ERROR);
    }
    if (endStream) this.#down.ended = true;
  }

  /** What the end of the upstream's side means for the client. */
  #judge(reason: HttpCloseReason): void {
    if (reason.kind === 'normal' || this.#downstreamClosed) return;
    if (this.#responded) {
      // After a complete response a reset only says that the rest of the request is not wanted (RFC 9113 8.1).
      if (this.#down.ended) return;
      this.#aborted ??= 'upstream';
      this.#downstream.reset(Http2Code.INTERNAL_ERROR);
      return;
    }
    this.#abandoned = true;
    this.#body.pause();
    this.#downstream.setHandler(this.#body);
    this.#events.onFailed({ reply: failureReply(reason), unseen: unseen(reason) });
  }

  #finish(): void {
    if (this.#downstreamClosed && this.#upstreamClosed) this.#events.onDone(this.#aborted);
  }
}

/** Whether the endpoint read the request. */
export function unseen(reason: HttpCloseReason): ExchangeFailure['unseen'] {
  if (reason.kind === 'unprocessed') return 'never';
  if (reason.kind === 'reset' && reason.by === 'peer' && reason.code === Http2Code.REFUSED_STREAM) return 'never';
  return reason.kind === 'lost' && reason.error?.code === 'HTTP1_NO_RESPONSE' ? 'maybe' : undefined;
}

function failureReply(reason: HttpCloseReason): LocalReply {
  if (reason.kind === 'reset') return LOCAL_REPLIES.upstreamReset;
  const error: AmbitError | undefined = reason.kind === 'lost' ? reason.error : undefined;
  const isProtocol = error !== undefined && /PROTOCOL|MALFORMED|INVALID|LIMIT/.test(error.code);
  return isProtocol ? LOCAL_REPLIES.upstreamProtocolError : LOCAL_REPLIES.upstreamTerminated;
}
