/**
 * The server side of an HTTP/1 connection (RFC 9112 9): one exchange at a time.
 *
 * Invariants
 * - A request is read only when the exchange before it is over: what a client pipelines waits in one held read.
 * - After Upgrade and CONNECT nothing is read before the answer. If that is no tunnel, what came early is dropped and
 *   the connection ends, so that it can never pass for a request (CVE-2025-64763).
 * - A request that cannot be read is answered here, once, if no response began; then the connection ends.
 * - `events.onClosed` is called exactly once, after the exchange was told.
 */
import type { AmbitError } from '../base/errors.ts';
import type { HttpHeader, HttpStreamHandler } from '../http/http-stream.ts';
import { BodyWriter } from './body-writer.ts';
import { destroyedError, lostError } from './connection-error.ts';
import { Deadline } from './deadline.ts';
import { writeResponseHead } from './head-writer.ts';
import { fault, type Http1ErrorCode, type Http1Fault, violation } from './http1-fault.ts';
import { Http1Link, type LinkOptions, type LinkOwner } from './http1-link.ts';
import { type ExchangeHost, Http1Stream, NO_HANDLER } from './http1-stream.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits, MAX_PENDING_OUTPUT_BYTES } from './limits.ts';
import type { MessageHead } from './message-head.ts';
import { MessageParser, type MessageSink } from './message-parser.ts';
import type { PausableTransport } from './transport.ts';

export interface Http1ServerEvents {
  /**
   * A request came in. `endStream`: it has no body.
   * @returns the exchange's handler, or undefined to refuse it (503)
   */
  onRequest(stream: Http1Stream, headers: readonly HttpHeader[], endStream: boolean): HttpStreamHandler | undefined;
  /** The connection is over; exactly once. Without an error it ended as agreed. */
  onClosed(error: AmbitError<Http1ErrorCode> | undefined): void;
}

export interface Http1ServerOptions extends LinkOptions {
  /** `:scheme` of requests: what the connection is, whatever a target in absolute form says. */
  readonly scheme: 'http' | 'https';
  readonly limits?: Http1Limits;
  /** Whether CONNECT requests reach the handler; otherwise they are answered with 501. */
  readonly allowConnect?: boolean;
  /** Whether a client may end its side behind a request and wait for the response; otherwise it is gone. Default true. */
  readonly halfClose?: boolean;
  /** Between exchanges. Default 1 h. 0 is no bound, as for the others. */
  readonly idleTimeoutMs?: number;
  /** From the first byte of a head to its end. Default 60 s. */
  readonly headTimeoutMs?: number;
  /** Between two reads of a request's body, while this side reads. Default 5 min. */
  readonly bodyIdleTimeoutMs?: number;
}

const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const DEFAULT_HEAD_TIMEOUT_MS = 60_000;
const DEFAULT_BODY_IDLE_TIMEOUT_MS = 300_000;
/** After an early response the rest of the request has this long and this many bytes, then the connection ends. */
const LINGER_TIMEOUT_MS = 5000;
const MAX_LINGER_BYTES = 1_048_576;
const NO_ERROR = 0x0;
const PROTOCOL_ERROR = 0x1;
const INTERNAL_ERROR = 0x2;

type Watch = 'none' | 'idle' | 'head' | 'body' | 'linger';

export class Http1ServerConnection implements ExchangeHost, MessageSink, LinkOwner {
  readonly #options: Http1ServerOptions;
  readonly #events: Http1ServerEvents;
  readonly #link: Http1Link;
  readonly #parser: MessageParser;
  readonly #deadline: Deadline;
  #stream: Http1Stream | undefined;
  #head: MessageHead | undefined;
  #body: BodyWriter | undefined;
  #tunnel = false;
  /** Whether the last request asked for a tunnel: what came with it or before the answer is never a request. */
  #askedForTunnel = false;
  /** Whether the connection ends with the present exchange. */
  #lastExchange = false;
  #continued = false;
  #reading = false;
  #lingerBytes = 0;
  #watch: Watch = 'none';
  #error: AmbitError<Http1ErrorCode> | undefined;
  /** Requests read since the start. */
  requests = 0;

  /** Takes over `transport`. */
  constructor(transport: PausableTransport, options: Http1ServerOptions, events: Http1ServerEvents) {
    this.#options = options;
    this.#events = events;
    this.#link = new Http1Link(transport, options, this);
    const { scheme, limits = DEFAULT_HTTP1_LIMITS } = options;
    this.#parser = new MessageParser({ kind: 'request', scheme }, limits, this);
    this.#deadline = new Deadline(options.clock, () => this.#timedOut());
    this.#link.start();
    this.#rewatch();
  }

  get closed(): boolean {
    return this.#link.closed;
  }

  /** Whether no exchange is going on. */
  get idle(): boolean {
    return this.#stream === undefined;
  }

  /** Ends the connection with the present exchange, or at once when there is none. */
  drain(): void {
    this.#lastExchange = true;
    if (this.#stream === undefined && this.#parser.untouched && !this.#reading) this.#finish();
  }

  /** Closes at once. */
  destroy(): void {
    this.#error ??= destroyedError();
    this.#link.abort();
  }

  // What the link tells.

  onBytes(bytes: Buffer, from: number): void {
    const { length } = bytes;
    const link = this.#link;
    const parser = this.#parser;
    let at = from;
    this.#reading = true;
    while (at < length && link.open) {
      if (this.#tunnel) {
        this.#deliver(bytes, at, length);
        at = length;
      } else if (!parser.complete) {
        const before = at;
        at = parser.execute(bytes, at);
        if (parser.fault !== undefined) this.#refuse(parser.fault);
        else if (at === before) break;
      } else {
        if (!this.#holdOrDrop(bytes, at)) break;
        parser.next();
      }
    }
    this.#reading = false;
    this.#settle();
  }

  onEnd(): void {
    const stream = this.#stream;
    this.#lastExchange = true;
    if (this.#tunnel) stream?.remoteEnded();
    else if (stream === undefined) this.#finish();
    // A client may end its side behind its request and wait for the response.
    else if (!this.#parser.complete || this.#options.halfClose === false) this.#lose();
  }

  onDrained(): void {
    this.#stream?.notifyWritable();
  }

  onClosed(error: Error | undefined): void {
    this.#parser.stop();
    this.#deadline.stop();
    const stream = this.#stream;
    if (stream !== undefined) {
      this.#error ??= lostError('downstream', error);
      stream.close({ kind: 'lost', error: this.#error });
    }
    this.#events.onClosed(this.#error);
  }

  // What the parser tells.

  onHead(head: MessageHead): void {
    this.requests += 1;
    this.#head = head;
    if (head.method === 'CONNECT' && this.#options.allowConnect !== true) {
      this.#refuse(fault(501, 'CONNECT is not allowed here'));
      return;
    }
    this.#askedForTunnel = head.upgrade || head.method === 'CONNECT';
    this.#body = undefined;
    this.#continued = false;
    this.#lingerBytes = 0;
    this.#lastExchange ||= !head.keepAlive;
    const stream = new Http1Stream(this, NO_HANDLER);
    this.#stream = stream;
    const handler = this.#events.onRequest(stream, head.headers, head.body === 'none' && !this.#awaitsTunnel);
    if (handler === undefined) {
      if (stream.state !== 'closed') this.#answer(503, 'refused');
      return;
    }
    if (stream.handler !== NO_HANDLER) return;
    stream.setHandler(handler);
    if (stream.state === 'closed') handler.onClosed(stream, stream.closeReason);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    // A client that does not wait for leave has none to be given.
    this.#continued = true;
    this.#deliver(bytes, start, end);
  }

  onTrailers(trailers: readonly HttpHeader[]): void {
    if (this.#stream?.canReceive) this.#stream.deliverHeaders(trailers, true);
  }

  onComplete(): void {
    if (!this.#awaitsTunnel && !this.#tunnel) this.#stream?.remoteEnded();
  }

  // What the exchange asks for.

  get outputBlocked(): boolean {
    return this.#link.output.blocked;
  }

  sendHead(headers: readonly HttpHeader[], endStream: boolean): boolean {
    const head = this.#head;
    if (head === undefined || this.#body !== undefined || !this.#link.open) return false;
    const { method, upgrade, minorVersion } = head;
    // The client waits for leave to send its body; without it, it cannot be known whether the body comes.
    const bodyUnknown = head.expectsContinue && !this.#continued;
    const refused = this.#awaitsTunnel && (method === 'CONNECT' || this.#link.holds);
    const close = this.#lastExchange || bodyUnknown || refused;
    const written = writeResponseHead(headers, endStream, { method, upgrade, minorVersion, close });
    if (typeof written === 'string') return false;
    if (written.status < 200 && written.body !== 'tunnel') {
      this.#continued ||= written.status === 100;
      // HTTP/1.0 has no interim responses.
      if (minorVersion === 1) this.#sent(written.text);
      return true;
    }
    this.#body = new BodyWriter(this.#link.output, written.body, endStream ? 0 : written.contentBytes);
    this.#tunnel = written.body === 'tunnel';
    this.#lastExchange ||= close || this.#tunnel || written.body === 'close';
    this.#sent(written.text);
    if (this.#askedForTunnel) this.#tunnelDecided();
    return true;
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#body === undefined || !this.#body.data(chunk) || this.#link.output.bytes > MAX_PENDING_OUTPUT_BYTES) {
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
    if (this.#watch === 'none' && !this.#reading) this.#rewatch();
  }

  sideEnded(): void {
    if (!this.#reading) this.#rewatch();
  }

  exchangeClosed(): void {
    this.#stream = undefined;
    this.#head = undefined;
    this.#body = undefined;
    if (!this.#reading) this.#advance();
  }

  // The course of things.

  /** Whether the present request asks for a tunnel that is neither granted nor refused. */
  get #awaitsTunnel(): boolean {
    return this.#head !== undefined && this.#askedForTunnel && this.#body === undefined;
  }

  /** What came early is the tunnel's, or dropped: a request without a tunnel was complete with its head. */
  #tunnelDecided(): void {
    if (this.#tunnel) {
      if (!this.#reading) this.#advance();
      return;
    }
    if (this.#link.takeHeld() !== undefined) this.#lastExchange = true;
    if (this.#parser.complete) this.#stream?.remoteEnded();
  }

  /** What follows a complete request: held, dropped, or (true) to be read as the next one. */
  #holdOrDrop(bytes: Buffer, at: number): boolean {
    if (this.#stream !== undefined && !this.#lastExchange) {
      this.#link.hold(bytes, at);
      return false;
    }
    this.#lastExchange ||= this.#askedForTunnel;
    return !this.#lastExchange;
  }

  /** Goes on with a held read, now that something changed outside of one. */
  #advance(): void {
    const held = this.#link.open ? this.#link.takeHeld() : undefined;
    if (held !== undefined) this.onBytes(held, 0);
    else this.#settle();
  }

  /** After each change: output goes out, the connection ends if it has to, reading and deadlines follow. */
  #settle(): void {
    const link = this.#link;
    const stream = this.#stream;
    if (this.#parser.complete && stream === undefined && !link.holds) {
      if (this.#lastExchange) return this.#finish();
      this.#parser.next();
    }
    if (!link.open) return;
    link.output.flush();
    if (link.paused) link.readOn();
    this.#rewatch();
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (stream === undefined || !stream.canReceive) return;
    if (stream.state === 'half-closed-local' && !this.#tunnel) {
      this.#lingerBytes += end - start;
      if (this.#lingerBytes > MAX_LINGER_BYTES) return this.#lingerOver();
    }
    stream.deliver(this.#link.piece(bytes, start, end));
  }

  /** The response is complete and the rest of the request did not come in time: it goes without. */
  #lingerOver(): void {
    this.#lastExchange = true;
    this.#parser.stop();
    this.#stream?.close({ kind: 'reset', by: 'local', code: NO_ERROR });
    this.#finish();
  }

  #sent(text: string): void {
    this.#link.output.text(text);
    this.#flush();
  }

  /** Inside a read, output waits for its end. */
  #flush(): void {
    if (!this.#reading) this.#link.output.flushSoon();
  }

  /** The request cannot be read: says so if nothing else was said, and ends the connection. */
  #refuse(problem: Http1Fault): void {
    this.#error = violation('downstream', problem);
    if (this.#body !== undefined) return this.#lose();
    this.#answer(problem.status, problem.message);
  }

  #answer(status: number, text: string): void {
    this.#parser.stop();
    const stream = this.#stream;
    const headers: HttpHeader[] = [
      [':status', String(status)],
      ['content-type', 'text/plain'],
      ['content-length', String(text.length)],
    ];
    const method = this.#head?.method ?? '';
    const context = { method, upgrade: false, minorVersion: 1, close: true } as const;
    const written = writeResponseHead(headers, false, context);
    if (typeof written !== 'string')
      this.#link.output.text(written.body === 'none' ? written.text : written.text + text);
    stream?.close({ kind: 'reset', by: 'peer', code: PROTOCOL_ERROR });
    this.#finish();
  }

  /** The exchange cannot be completed. */
  #lose(): void {
    this.#error ??= lostError('downstream', undefined);
    this.#parser.stop();
    this.#stream?.close({ kind: 'lost', error: this.#error });
    this.#link.abort();
  }

  #finish(): void {
    this.#parser.stop();
    this.#deadline.clear();
    this.#link.output.flush();
    this.#link.finish();
  }

  #rewatch(): void {
    const watch = this.#wanted();
    const refreshed = watch === 'idle' || watch === 'body';
    if (watch === this.#watch && !refreshed) return;
    this.#watch = watch;
    const { idleTimeoutMs, headTimeoutMs, bodyIdleTimeoutMs } = this.#options;
    if (watch === 'none') this.#deadline.clear();
    else if (watch === 'idle') this.#deadline.set(idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS);
    else if (watch === 'head') this.#deadline.set(headTimeoutMs ?? DEFAULT_HEAD_TIMEOUT_MS);
    else if (watch === 'body') this.#deadline.set(bodyIdleTimeoutMs ?? DEFAULT_BODY_IDLE_TIMEOUT_MS);
    else this.#deadline.set(LINGER_TIMEOUT_MS);
  }

  #wanted(): Watch {
    if (this.#tunnel || !this.#link.open) return 'none';
    const stream = this.#stream;
    if (stream === undefined) return this.#parser.untouched ? 'idle' : 'head';
    if (this.#parser.complete) return 'none';
    if (stream.state === 'half-closed-local') return 'linger';
    return this.#link.paused ? 'none' : 'body';
  }

  #timedOut(): void {
    const watch = this.#watch;
    if (watch === 'idle') this.#finish();
    else if (watch === 'linger') this.#lingerOver();
    else if (watch === 'head') this.#refuse(fault(408, 'the head of the request did not come in time'));
    else if (watch === 'body') this.#refuse(fault(408, 'the body of the request did not come in time'));
  }
}
