/** Pieces for tests of the HTTP/1 codec: transports in memory, recorders, a parser that writes down what it reads. */
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../../../src/http/http-stream.ts';
import {
  Http1ClientConnection,
  type Http1ClientEvents,
  type Http1ClientOptions,
} from '../../../src/http1/client-connection.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from '../../../src/http1/limits.ts';
import type { MessageHead, RequestContext } from '../../../src/http1/message-head.ts';
import { MessageParser, type MessageSink } from '../../../src/http1/message-parser.ts';
import {
  Http1ServerConnection,
  type Http1ServerEvents,
  type Http1ServerOptions,
} from '../../../src/http1/server-connection.ts';
import type { PausableTransport } from '../../../src/http1/transport.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import type { TransportSink } from '../../../src/http2/transport.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Lets everything that is scheduled for this and the next turns of the event loop happen. */
export async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A transport whose peer is the test. While `stalled`, writes never complete, as with a peer that does not read. */
export class TestTransport implements PausableTransport {
  readonly lendsMemory: boolean;
  output = '';
  stalled = false;
  /** Whether what is written is taken in the next turn, as by TLS, and not at once. */
  takesLater = false;
  paused = false;
  ended = false;
  destroyed = false;
  aborted = false;
  #sink: TransportSink | undefined;
  #waiting: (() => void)[] = [];
  #peerEnded = false;

  constructor(lendsMemory = false) {
    this.lendsMemory = lendsMemory;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
  }

  write(chunk: Uint8Array, onWritten: () => void): boolean {
    this.output += Buffer.from(chunk).toString('latin1');
    if (this.stalled) this.#waiting.push(onWritten);
    else if (this.takesLater) process.nextTick(onWritten);
    return !this.stalled && !this.takesLater;
  }

  /** The peer reads again. */
  flow(): void {
    this.stalled = false;
    for (const written of this.#waiting.splice(0)) written();
  }

  end(): void {
    this.ended = true;
    if (this.#peerEnded) this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    process.nextTick(() => this.#sink?.onClosed(undefined));
  }

  abort(): void {
    this.aborted = true;
    this.destroy();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The peer sends `text`; memory that is lent is overwritten afterwards. */
  receive(text: string | Buffer): void {
    if (this.destroyed) return;
    const chunk = typeof text === 'string' ? bytes(text) : Buffer.from(text);
    this.#sink?.onData(chunk);
    if (this.lendsMemory) chunk.fill(0x3f);
  }

  receiveEnd(): void {
    this.#peerEnded = true;
    if (!this.destroyed) this.#sink?.onEnd();
    if (this.ended) this.destroy();
  }

  lose(error?: Error): void {
    this.destroyed = true;
    this.#sink?.onClosed(error);
  }

  /** What was sent since the last call. */
  async sent(): Promise<string> {
    await settle();
    const { output } = this;
    this.output = '';
    return output;
  }
}

/** A handler that writes down what happens. */
export class Recorder implements HttpStreamHandler {
  headers: (readonly HttpHeader[])[] = [];
  text = '';
  ended = 0;
  closed: HttpCloseReason[] = [];
  writable = 0;
  readonly consume: boolean;

  constructor(consume = true) {
    this.consume = consume;
  }

  get status(): string | undefined {
    return this.headers.at(-1)?.[0]?.[1];
  }

  onHeaders(_stream: HttpStream, headers: readonly HttpHeader[]): void {
    this.headers.push(headers);
  }

  onData(stream: HttpStream, chunk: Buffer): void {
    this.text += chunk.toString('latin1');
    if (this.consume) stream.consume(chunk.length);
  }

  onEnd(_stream: HttpStream): void {
    this.ended += 1;
  }

  onClosed(_stream: HttpStream, reason: HttpCloseReason): void {
    this.closed.push(reason);
  }

  onWritable(_stream: HttpStream): void {
    this.writable += 1;
  }
}

export interface Accepted {
  readonly stream: HttpStream;
  readonly headers: readonly HttpHeader[];
  readonly endStream: boolean;
  readonly handler: Recorder;
}

/** A server connection whose client is the test. */
export function server(
  options: Partial<Http1ServerOptions> = {},
  onRequest?: (one: Accepted) => void,
  transport = new TestTransport(),
) {
  const clock = new ManualClock();
  const accepted: Accepted[] = [];
  const closed: ({ code: string } | undefined)[] = [];
  const events: Http1ServerEvents = {
    onRequest(stream, headers, endStream) {
      const one = { stream, headers, endStream, handler: new Recorder() };
      accepted.push(one);
      stream.setHandler(one.handler);
      onRequest?.(one);
      return one.handler;
    },
    onClosed: (error) => closed.push(error),
  };
  const all = { clock, pool: new BlockPool(), scheme: 'http' as const, ...options };
  const connection = new Http1ServerConnection(transport, all, events);
  return { connection, transport, clock, accepted, closed };
}

/** A client connection whose server is the test. */
export function client(options: Partial<Http1ClientOptions> = {}, transport = new TestTransport()) {
  const clock = new ManualClock();
  const closed: ({ code: string; retry: string } | undefined)[] = [];
  const counts = { idle: 0 };
  const events: Http1ClientEvents = {
    onIdle: () => {
      counts.idle += 1;
    },
    onClosed: (error) => closed.push(error),
  };
  const connection = new Http1ClientConnection(transport, { clock, pool: new BlockPool(), ...options }, events);
  return { connection, transport, clock, closed, counts };
}

export const OK: readonly HttpHeader[] = [[':status', '200']];

export function get(path = '/', method = 'GET'): HttpHeader[] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'a.example'],
    [':path', path],
  ];
}

/** One message as a parser saw it. */
export interface ReadMessage {
  heads: MessageHead[];
  body: string;
  trailers: readonly HttpHeader[];
  complete: boolean;
}

export interface Reading {
  readonly messages: ReadMessage[];
  readonly fault: { readonly status: number; readonly message: string } | undefined;
  readonly mostHeldBytes: number;
}

export interface ReadOptions {
  readonly limits?: Partial<Http1Limits>;
  /** For responses: the request they answer. */
  readonly context?: RequestContext;
  /** Whether the input ends behind the last piece. */
  readonly end?: boolean;
}

/** Reads `pieces` as requests, or as responses to `options.context`. */
export function read(pieces: readonly Buffer[], options: ReadOptions = {}): Reading {
  const messages: ReadMessage[] = [];
  const fresh = (): ReadMessage => ({ heads: [], body: '', trailers: [], complete: false });
  let current = fresh();
  const sink: MessageSink = {
    onHead(head) {
      if (current.heads.length === 0) messages.push(current);
      current.heads.push(head);
    },
    onBody(chunk, start, end) {
      current.body += chunk.toString('latin1', start, end);
    },
    onTrailers(trailers) {
      current.trailers = trailers;
    },
    onComplete() {
      current.complete = true;
      current = fresh();
    },
  };
  const { context } = options;
  const role =
    context === undefined ? { kind: 'request' as const, scheme: 'http' } : { kind: 'response' as const, context };
  const parser = new MessageParser(role, { ...DEFAULT_HTTP1_LIMITS, ...options.limits }, sink);
  let mostHeldBytes = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length && parser.fault === undefined; ) {
      if (parser.complete) parser.next();
      at = parser.execute(piece, at);
    }
    mostHeldBytes = Math.max(mostHeldBytes, parser.heldBytes);
  }
  if (options.end === true) parser.finish();
  return { messages, fault: parser.fault, mostHeldBytes };
}

/** Reads one piece. */
export function readText(text: string, options: ReadOptions = {}): Reading {
  return read([bytes(text)], options);
}
