/** Pieces for tests of the HTTP/2 connection: memory transports, a raw peer that writes any frame, a clock by hand. */
import type { Clock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import type { Http2ConnectionEvents, Http2Options } from '../../../src/http2/connection-core.ts';
import type { Header } from '../../../src/http2/header.ts';
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from '../../../src/http2/stream.ts';
import type { ByteTransport, TransportSink } from '../../../src/http2/transport.ts';

/** A clock that moves when told. */
export class HandClock implements Clock {
  #now = 0;
  #timers: { atMs: number; run: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  after(delayMs: number, run: () => void) {
    const entry = { atMs: this.#now + delayMs, run };
    this.#timers.push(entry);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== entry);
      },
    };
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#now);
    for (const timer of due) timer.run();
  }
}

/** Lets everything that is scheduled for this and the next turns of the event loop happen. */
export async function settle(turns = 6): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** One end of a pipe in memory. While `stalled`, writes are kept and never complete, as with a peer that does not read. */
export class MemoryTransport implements ByteTransport {
  peer: MemoryTransport | undefined;
  onOutput: ((bytes: Buffer) => void) | undefined;
  stalled = false;
  ended = false;
  destroyed = false;
  #sink: TransportSink | undefined;
  #stalledWrites: (() => void)[] = [];

  start(sink: TransportSink): void {
    this.#sink = sink;
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    const copy = Buffer.from(bytes);
    const pass = () => {
      this.onOutput?.(copy);
      this.peer?.receive(copy);
      onWritten();
    };
    if (this.stalled) this.#stalledWrites.push(pass);
    else setImmediate(pass);
    return false;
  }

  resume(): void {
    this.stalled = false;
    for (const pass of this.#stalledWrites.splice(0)) setImmediate(pass);
  }

  receive(bytes: Buffer): void {
    if (!this.destroyed) this.#sink?.onData(bytes);
  }

  receiveEnd(): void {
    if (!this.destroyed) this.#sink?.onEnd();
  }

  end(): void {
    this.ended = true;
    setImmediate(() => this.peer?.receiveEnd());
    setImmediate(() => this.destroy());
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    setImmediate(() => this.#sink?.onClosed(undefined));
    setImmediate(() => this.peer?.receiveEnd());
  }
}

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** Frames in `bytes`, which must hold whole ones. */
export function parseFrames(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  let at = 0;
  while (at + 9 <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      id: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

/** The bytes of a frame, right or wrong. */
export function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const CONNECT: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.0.0.1:80'],
];

export function block(headers: readonly Header[], encoder = new HpackEncoder()): Buffer {
  const target = Buffer.alloc(HpackEncoder.maxBytes(headers));
  return target.subarray(0, encoder.encode(headers, target, 0));
}

/** A handler that writes down what happens. */
export class Recorder implements StreamHandler {
  headers: (readonly Header[])[] = [];
  chunks: Buffer[] = [];
  ended = 0;
  closed: StreamCloseReason[] = [];
  writable = 0;
  stream: Http2Stream | undefined;
  readonly consume: boolean;

  constructor(consume = true) {
    this.consume = consume;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  onHeaders(stream: Http2Stream, headers: readonly Header[]): void {
    this.stream = stream;
    this.headers.push(headers);
  }

  onData(stream: Http2Stream, chunk: Buffer): void {
    this.chunks.push(chunk);
    if (this.consume) stream.consume(chunk.length);
  }

  onEnd(): void {
    this.ended += 1;
  }

  onClosed(_stream: Http2Stream, reason: StreamCloseReason): void {
    this.closed.push(reason);
  }

  onWritable(): void {
    this.writable += 1;
  }
}

export interface RawPeer {
  readonly connection: Http2Connection;
  readonly transport: MemoryTransport;
  readonly clock: HandClock;
  readonly accepted: { stream: Http2Stream; handler: Recorder; headers: readonly Header[] }[];
  readonly closed: (Error | undefined)[];
  /** Frames the connection sent since the last call. */
  sent(): Promise<RawFrame[]>;
  send(...bytes: Buffer[]): void;
}

/** A connection whose peer is the test: a server that saw the preface and SETTINGS, or a client that saw SETTINGS. */
export function rawPeer(role: 'client' | 'server', options: Partial<Http2Options> = {}, opening = true): RawPeer {
  const clock = new HandClock();
  const transport = new MemoryTransport();
  const accepted: RawPeer['accepted'] = [];
  const closed: RawPeer['closed'] = [];
  let output = Buffer.alloc(0);
  transport.onOutput = (bytes) => {
    output = Buffer.concat([output, bytes]);
  };
  const events: Http2ConnectionEvents = {
    onStream(stream, headers) {
      const handler = new Recorder();
      accepted.push({ stream, handler, headers });
      return handler;
    },
    onClosed: (error) => closed.push(error),
  };
  const connection = new Http2Connection(transport, role, { clock, pool: new BlockPool(), ...options }, events);
  const peer: RawPeer = {
    connection,
    transport,
    clock,
    accepted,
    closed,
    async sent() {
      await settle();
      let bytes = output;
      output = Buffer.alloc(0);
      if (bytes.subarray(0, 24).equals(PREFACE)) bytes = bytes.subarray(24);
      return parseFrames(bytes);
    },
    send(...bytes) {
      transport.receive(Buffer.concat(bytes));
    },
  };
  if (opening) peer.send(...(role === 'server' ? [PREFACE] : []), frame(4, 0, 0));
  return peer;
}

/** Two connections joined in memory. */
export function connectedPair(clientOptions: Partial<Http2Options> = {}, serverOptions: Partial<Http2Options> = {}) {
  const clock = new HandClock();
  const [a, b] = [new MemoryTransport(), new MemoryTransport()];
  a.peer = b;
  b.peer = a;
  const accepted: RawPeer['accepted'] = [];
  const closed: { client: (Error | undefined)[]; server: (Error | undefined)[] } = { client: [], server: [] };
  const pool = new BlockPool();
  let makeHandler = () => new Recorder();
  const server = new Http2Connection(
    b,
    'server',
    { clock, pool, ...serverOptions },
    {
      onStream(stream, headers) {
        const handler = makeHandler();
        accepted.push({ stream, handler, headers });
        return handler;
      },
      onClosed: (error) => closed.server.push(error),
    },
  );
  const client = new Http2Connection(
    a,
    'client',
    { clock, pool, ...clientOptions },
    {
      onClosed: (error) => closed.client.push(error),
    },
  );
  return {
    client,
    server,
    clock,
    accepted,
    closed,
    clientTransport: a,
    serverTransport: b,
    handleWith(make: () => Recorder) {
      makeHandler = make;
    },
  };
}

/**
 * Bytes that each break the protocol in another way, for a connection whose stream 1 is open (RFC 9113, RFC 7541).
 * @param headers a good header block
 */
export function violations(headers: Buffer): readonly Buffer[] {
  return [
    frame(0, 0, 0),
    frame(1, 4, 0),
    frame(1, 4, 2, headers),
    frame(3, 0, 99, word(1)),
    frame(4, 0, 1),
    frame(4, 0, 0, Buffer.alloc(5)),
    frame(5, 4, 1, Buffer.alloc(8)),
    frame(6, 0, 0),
    frame(6, 0, 1, Buffer.alloc(8)),
    frame(7, 0, 0),
    frame(7, 0, 1, Buffer.alloc(8)),
    frame(8, 0, 0, word(0)),
    frame(8, 0, 0, word(0x7fffffff)),
    frame(8, 0, 99, word(1)),
    frame(9, 4, 1),
    frame(1, 4, 3, Buffer.from([0xff])),
    frame(1, 4, 3, Buffer.from([0x80])),
    frame(0, 8, 1, Buffer.from([9])),
    Buffer.concat([frame(1, 0, 3), frame(6, 0, 0, Buffer.alloc(8))]),
    Buffer.concat([Buffer.from('ffffff0000', 'hex'), word(1)]),
  ];
}
