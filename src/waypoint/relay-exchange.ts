/**
 * A request from its upstream connection on: body and trailers up, response down, both at the pace of the slower side.
 *
 * Invariants:
 * - Credit goes back to a sender only for bytes that the other side took.
 * - The outcome is reported exactly once, when both sides are over.
 * - Once a response began, a failure cuts it visibly; before, it becomes an answer of the waypoint.
 */
import type { AmbitError } from '../base/errors.ts';
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { StreamPipe } from '../http/stream-pipe.ts';
import { Http2Code } from '../http2/http2-error.ts';

import { LOCAL_REPLIES, type LocalReply } from './local-reply.ts';
import type { HttpUpstream } from './pooled-connection.ts';

export interface ExchangeBytes {
  received: number;
  sent: number;
}

export interface ExchangeEvents {
  /** The final response's headers, before they go out. Returns what goes out. */
  onResponse(headers: readonly HttpHeader[]): readonly HttpHeader[];
  /**
   * The upstream failed before a response.
   * @param unseen whether the endpoint read the request, which is still whole then
   */
  onFailed(reply: LocalReply, unseen: Unseen): void;
  /** Everything is over. `aborted`: after the response began, or by the client. */
  onDone(aborted: 'upstream' | 'downstream' | undefined): void;
}

/** Drops what arrives, so that a client that goes on sending keeps no credit from its other requests. */
const DROP: HttpStreamHandler = {
  onHeaders: () => undefined,
  onData: (stream, chunk) => stream.consume(chunk.length),
  onEnd: () => undefined,
  onWritable: () => undefined,
  onClosed: (stream) => stream.releaseCredit(),
};

/** Keeps what the client sends while no upstream takes it. */
export class RequestBody implements HttpStreamHandler {
  #chunks: Buffer[] = [];
  #trailers: readonly HttpHeader[] | undefined;
  #ended: boolean;
  closed: HttpCloseReason | undefined;
  readonly #onClosed: () => void;

  /** @param onClosed the client went away before anybody took over */
  constructor(ended: boolean, onClosed: () => void) {
    this.#ended = ended;
    this.#onClosed = onClosed;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get empty(): boolean {
    return this.#ended && this.#chunks.length === 0 && this.#trailers === undefined;
  }

  onHeaders(_stream: HttpStream, headers: readonly HttpHeader[]): void {
    this.#trailers = headers;
  }

  onData(_stream: HttpStream, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onEnd(): void {
    this.#ended = true;
  }

  onWritable(): void {
    // Nothing is written before an upstream answers.
  }

  onClosed(stream: HttpStream, reason: HttpCloseReason): void {
    this.closed = reason;
    stream.releaseCredit();
    this.#onClosed();
  }

  /** The answer is given: what came of the request, and what still comes, is dropped. */
  discard(stream: HttpStream): void {
    this.#chunks = [];
    stream.setHandler(DROP);
    stream.releaseCredit();
  }

  /** Hands everything to the handler that comes next. */
  release(stream: HttpStream, next: HttpStreamHandler): void {
    for (const chunk of this.#chunks.splice(0)) next.onData(stream, chunk);
    if (this.#trailers !== undefined) next.onHeaders(stream, this.#trailers, true);
    if (this.#ended) next.onEnd(stream);
  }
}

/** Sends the request and relays until both sides are over. Returns why the connection does not take it, if so. */
export function relayExchange(
  downstream: HttpStream,
  body: RequestBody,
  upstream: HttpUpstream,
  headers: readonly HttpHeader[],
  bytes: ExchangeBytes,
  events: ExchangeEvents,
): AmbitError | undefined {
  const exchange = new Exchange(downstream, bytes, events);
  // What asks for a tunnel has no body: bytes follow only once it was granted.
  const asksForTunnel = headers.some(([name]) => name === 'upgrade');
  const opened = upstream.request(headers, exchange.fromUpstream, body.empty || asksForTunnel);
  if (!opened.ok) return opened.error;
  exchange.start(opened.value, body);
  return undefined;
}

class Exchange {
  readonly #downstream: HttpStream;
  readonly #bytes: ExchangeBytes;
  readonly #events: ExchangeEvents;
  #withoutBody = false;
  #upstream: HttpStream | undefined;
  /** Body and trailers of the request that wait for the upstream. */
  readonly #up = new StreamPipe();
  readonly #down = new StreamPipe();
  #responded = false;
  #downstreamClosed = false;
  #upstreamClosed = false;
  #aborted: 'upstream' | 'downstream' | undefined;

  constructor(downstream: HttpStream, bytes: ExchangeBytes, events: ExchangeEvents) {
    this.#downstream = downstream;
    this.#bytes = bytes;
    this.#events = events;
  }

  start(upstream: HttpStream, body: RequestBody): void {
    this.#upstream = upstream;
    this.#up.connect(this.#downstream, upstream);
    this.#down.connect(upstream, this.#downstream);
    this.#withoutBody = body.empty;
    if (body.empty) this.#up.ended = true;
    this.#downstream.setHandler(this.fromDownstream);
    if (!body.empty) body.release(this.#downstream, this.fromDownstream);
    if (this.#downstream.state === 'closed')
      this.fromDownstream.onClosed(this.#downstream, { kind: 'reset', by: 'peer', code: Http2Code.CANCEL });
  }

  readonly fromDownstream: HttpStreamHandler = {
    onHeaders: (_stream, trailers) => this.#up.trailers(trailers),
    onData: (_stream, chunk) => {
      this.#bytes.received += chunk.length;
      this.#up.data(chunk);
    },
    onEnd: () => this.#up.end(),
    onWritable: () => this.#down.resume(),
    onClosed: (stream, reason) => {
      this.#downstreamClosed = true;
      stream.releaseCredit();
      this.#down.abandon();
      if (reason.kind !== 'normal' && !this.#upstreamClosed) {
        this.#aborted ??= 'downstream';
        this.#upstream?.reset(Http2Code.CANCEL);
      }
      this.#finish();
    },
  };

  readonly fromUpstream: HttpStreamHandler = {
    onHeaders: (_stream, headers, endStream) => this.#headers(headers, endStream),
    onData: (_stream, chunk) => {
      this.#bytes.sent += chunk.length;
      this.#down.data(chunk);
    },
    onEnd: () => this.#down.end(),
    onWritable: () => this.#up.resume(),
    onClosed: (stream, reason) => {
      this.#upstreamClosed = true;
      stream.releaseCredit();
      this.#up.abandon();
      this.#judge(reason);
      this.#finish();
    },
  };

  #headers(headers: readonly HttpHeader[], endStream: boolean): void {
    const status = headers[0]?.[0] === ':status' ? headers[0][1] : undefined;
    if (status === undefined) return this.#down.trailers(headers);
    if (status.startsWith('1') && status !== '101') {
      this.#downstream.respond(headers);
      return;
    }
    this.#responded = true;
    this.#downstream.respond(this.#events.onResponse(headers), endStream);
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
    this.#responded = true;
    this.#events.onFailed(failureReply(reason), this.#withoutBody ? unseen(reason) : undefined);
  }

  #finish(): void {
    if (this.#downstreamClosed && this.#upstreamClosed) this.#events.onDone(this.#aborted);
  }
}

/** Whether the endpoint read the request: never, or not known as when it grew tired of an idle connection just then. */
export type Unseen = 'never' | 'maybe' | undefined;

function unseen(reason: HttpCloseReason): Unseen {
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
