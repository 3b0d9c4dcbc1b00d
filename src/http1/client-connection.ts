/**
 * The client side of an HTTP/1 connection (RFC 9112 9): one exchange at a time, never pipelined.
 *
 * Invariants
 * - A byte that no request asked for ends the connection: it would pass for the next response (CVE-2026-48931).
 * - The connection is reused only after both request and response were complete, with nothing behind them.
 * - A response is complete only when its framing says so; a lost connection never passes for an end.
 * - `events.onClosed` is called exactly once, after the exchange was told.
 */
import { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { HttpCloseReason, HttpHeader, HttpStreamHandler } from '../http/http-stream.ts';
import { BodyWriter } from './body-writer.ts';
import { destroyedError, lostError, noResponseError } from './connection-error.ts';
import { writeRequestHead } from './head-writer.ts';
import { type Http1ErrorCode, type Http1Fault, malformed, violation } from './http1-fault.ts';
import { Http1Link, type LinkOptions, type LinkOwner } from './http1-link.ts';
import { type ExchangeHost, Http1Stream } from './http1-stream.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits, MAX_PENDING_OUTPUT_BYTES } from './limits.ts';
import type { MessageHead } from './message-head.ts';
import { MessageParser, type MessageSink } from './message-parser.ts';
import type { PausableTransport } from './transport.ts';

export interface Http1ClientEvents {
  /** An exchange is over and the connection takes the next one. */
  onIdle?(): void;
  /** The connection is over; exactly once. Without an error it ended as agreed. */
  onClosed(error: AmbitError<Http1ErrorCode> | undefined): void;
}

export interface Http1ClientOptions extends LinkOptions {
  readonly limits?: Http1Limits;
}

/** Interim responses to one request. */
const MAX_INTERIM_RESPONSES = 16;
const INTERNAL_ERROR = 0x2;

export class Http1ClientConnection implements ExchangeHost, MessageSink, LinkOwner {
  readonly #events: Http1ClientEvents;
  readonly #link: Http1Link;
  readonly #parser: MessageParser;
  #stream: Http1Stream | undefined;
  #body: BodyWriter | undefined;
  #tunnel = false;
  #reusable = true;
  #responded = false;
  #interims = 0;
  #reading = false;
  #sentBefore = 0;
  #error: AmbitError<Http1ErrorCode> | undefined;
  /** Requests sent since the start. */
  requests = 0;

  /** Takes over `transport`. */
  constructor(transport: PausableTransport, options: Http1ClientOptions, events: Http1ClientEvents) {
    this.#events = events;
    this.#link = new Http1Link(transport, options, this);
    const context = { method: '', upgrade: false };
    this.#parser = new MessageParser({ kind: 'response', context }, options.limits ?? DEFAULT_HTTP1_LIMITS, this);
    this.#link.start();
  }

  get closed(): boolean {
    return this.#link.closed;
  }

  /** Whether no exchange is going on. */
  get idle(): boolean {
    return this.#stream === undefined;
  }

  /** Whether `request` may be called. */
  get acceptsRequests(): boolean {
    return this.#stream === undefined && this.reusable;
  }

  /** Whether the connection takes another request when the present exchange is over. */
  get reusable(): boolean {
    return this.#reusable && this.#link.open && !this.#link.peerEnded && !this.#tunnel;
  }

  /**
   * Sends a request.
   * @param endStream whether it has no body
   * @returns the exchange, or why it cannot go out on this connection: HTTP1_NOT_ACCEPTING, HTTP1_HEADERS_INVALID
   */
  request(
    headers: readonly HttpHeader[],
    handler: HttpStreamHandler,
    endStream = false,
  ): Result<Http1Stream, AmbitError<Http1ErrorCode>> {
    if (!this.acceptsRequests || this.#reading) {
      return fail(new AmbitError('HTTP1_NOT_ACCEPTING', 'HTTP/1 connection takes no request now: use another one'));
    }
    const head = writeRequestHead(headers, endStream);
    if (typeof head === 'string') {
      return fail(new AmbitError('HTTP1_HEADERS_INVALID', `HTTP/1 request headers are invalid: ${head}`));
    }
    const { method, upgrade, text, contentBytes } = head;
    const { output } = this.#link;
    this.requests += 1;
    this.#responded = false;
    this.#interims = 0;
    this.#sentBefore = output.sentBytes;
    this.#parser.next({ method, upgrade });
    const stream = new Http1Stream(this, handler);
    this.#stream = stream;
    this.#body = new BodyWriter(output, head.body, contentBytes);
    output.text(text);
    // An exchange that may become a tunnel keeps its side open until the answer says which it is.
    if (endStream && !upgrade && method !== 'CONNECT') stream.localEnded();
    output.flushSoon();
    return ok(stream);
  }

  /** Takes no more requests; closes when the present exchange is over, or at once when there is none. */
  drain(): void {
    this.#reusable = false;
    if (this.#stream === undefined && !this.#reading) this.#link.finish();
  }

  /** Closes at once. */
  destroy(): void {
    this.#error ??= destroyedError();
    this.#link.abort();
  }

  // What the link tells.

  onBytes(bytes: Buffer, from: number): void {
    const { length } = bytes;
    const parser = this.#parser;
    let at = from;
    this.#reading = true;
    while (at < length && this.#link.open) {
      if (this.#tunnel) {
        this.#deliver(bytes, at, length);
        at = length;
      } else if (this.requests === 0 || parser.complete) {
        this.#violated(malformed('bytes that no request asked for'));
      } else {
        const before = at;
        at = parser.execute(bytes, at);
        if (parser.fault !== undefined) this.#violated(parser.fault);
        else if (at === before) break;
      }
    }
    this.#reading = false;
    this.#settle();
  }

  onEnd(): void {
    this.#reusable = false;
    if (this.#tunnel) this.#stream?.remoteEnded();
    else if (this.#stream === undefined) this.#link.finish();
    else if (!this.#parser.finish() || !this.#responded) this.#lost(undefined);
    this.#settle();
  }

  onDrained(): void {
    this.#stream?.notifyWritable();
  }

  onClosed(error: Error | undefined): void {
    const stream = this.#stream;
    const reason = stream === undefined ? undefined : this.#lossReason(error);
    this.#parser.stop();
    if (reason !== undefined) stream?.close(reason);
    this.#events.onClosed(this.#error);
  }

  // What the parser tells.

  onHead(head: MessageHead): void {
    const stream = this.#stream;
    const { status, body, headers } = head;
    if (stream === undefined) return;
    if (status < 200 && body !== 'tunnel') {
      this.#interims += 1;
      if (this.#interims > MAX_INTERIM_RESPONSES) return this.#violated(malformed('too many interim responses'));
      stream.deliverHeaders(headers, false);
      return;
    }
    this.#responded = true;
    this.#reusable &&= head.keepAlive;
    if (body === 'tunnel') {
      this.#tunnel = true;
      this.#body = new BodyWriter(this.#link.output, 'tunnel', 0);
      if (!stream.canSend) this.#link.endSide();
    } else if (stream.state === 'open' && this.#body?.kind === 'none') {
      // The tunnel was refused: the request ends here, as any other without a body.
      stream.localEnded();
    }
    stream.deliverHeaders(headers, body === 'none');
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#deliver(bytes, start, end);
  }

  onTrailers(trailers: readonly HttpHeader[]): void {
    if (this.#stream?.canReceive) this.#stream.deliverHeaders(trailers, true);
  }

  onComplete(): void {
    const stream = this.#stream;
    if (this.#tunnel || stream === undefined) return;
    // A response before the end of the request: what the server does with the rest is not known.
    if (stream.canSend) this.#reusable = false;
    stream.remoteEnded();
  }

  // What the exchange asks for.

  get outputBlocked(): boolean {
    return this.#link.output.blocked;
  }

  /** A client sends no response. */
  sendHead(): boolean {
    return false;
  }

  sendData(chunk: Uint8Array): boolean {
    // Nothing is said before the server accepted the tunnel, and a request without a body has none.
    if (this.#body === undefined || this.#body.kind === 'none') return false;
    if (!this.#body.data(chunk) || this.#link.output.bytes > MAX_PENDING_OUTPUT_BYTES) {
      this.resetExchange(INTERNAL_ERROR);
      return false;
    }
    this.#flush();
    return true;
  }

  sendEnd(): boolean {
    if (this.#body?.end() !== true) {
      this.resetExchange(INTERNAL_ERROR);
      return false;
    }
    if (this.#tunnel) this.#link.endSide();
    this.#flush();
    return true;
  }

  sendTrailers(headers: readonly HttpHeader[]): boolean {
    if (this.#body === undefined || this.#tunnel || !this.#body.trailers(headers)) return false;
    this.#flush();
    return true;
  }

  resetExchange(code: number): void {
    this.#error ??= destroyedError();
    this.#parser.stop();
    this.#stream?.close({ kind: 'reset', by: 'local', code });
    this.#link.abort();
  }

  returnCredit(bytes: number): void {
    this.#link.returnCredit(bytes);
  }

  sideEnded(): void {
    // The response is still to come.
  }

  exchangeClosed(): void {
    this.#stream = undefined;
    this.#body = undefined;
    if (this.#tunnel) this.#reusable = false;
    if (!this.#reading) this.#settle();
  }

  // The course of things.

  /** After each change: output goes out, and the connection ends or is free when the exchange is over. */
  #settle(): void {
    const link = this.#link;
    if (!link.open) return;
    link.output.flush();
    if (this.#stream !== undefined || this.requests === 0) return;
    if (!this.reusable) link.finish();
    else if (this.#parser.complete) this.#events.onIdle?.();
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (stream?.canReceive) stream.deliver(this.#link.piece(bytes, start, end));
  }

  #flush(): void {
    if (!this.#reading) this.#link.output.flushSoon();
  }

  #violated(problem: Http1Fault): void {
    this.#error = violation('upstream', problem);
    this.#responded = true;
    this.#lost(undefined);
  }

  #lost(error: Error | undefined): void {
    const reason = this.#lossReason(error);
    this.#parser.stop();
    this.#stream?.close(reason);
    this.#link.abort();
  }

  /** How an exchange ends whose connection is lost: whether it may be tried again depends on how far it came. */
  #lossReason(error: Error | undefined): HttpCloseReason {
    const silent = !this.#responded && this.#interims === 0 && this.#parser.heldBytes === 0;
    if (silent && this.#error === undefined) {
      if (this.#link.output.sentBytes === this.#sentBefore) return { kind: 'unprocessed' };
      // A server may close an idle connection just when the next request is on its way (RFC 9112 9.3.1).
      this.#error = noResponseError(this.requests > 1 ? 'reused-connection-only' : 'idempotent', error);
    }
    this.#error ??= lostError('upstream', error);
    return { kind: 'lost', error: this.#error };
  }
}
