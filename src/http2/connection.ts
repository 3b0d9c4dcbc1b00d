/**
 * An HTTP/2 connection over any byte stream, client or server (RFC 9113; HBONE: facts ztunnel-wire 7).
 *
 * Invariants: see `connection-core.ts` (state, output), `inbound-frames.ts` (what is accepted), `frame-reader.ts`.
 */
import { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import {
  ConnectionCore,
  type Http2ConnectionEvents,
  type Http2Counters,
  type Http2Options,
  transportLost,
} from './connection-core.ts';
import { MAX_31_BIT } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { Header } from './header.ts';
import { checkRequest } from './header-rules.ts';
import { Http2Code, type Http2ErrorCode } from './http2-error.ts';
import { InboundFrames } from './inbound-frames.ts';
import { Keepalive } from './keepalive.ts';
import type { Http2Role } from './settings.ts';
import { Http2Stream, type StreamHandler } from './stream.ts';
import type { ByteTransport } from './transport.ts';

const DEFAULT_PING_INTERVAL_MS = 10_000;
const DEFAULT_PING_TIMEOUT_MS = 20_000;
const MAX_CONTINUATIONS = 16;

export class Http2Connection {
  readonly #core: ConnectionCore;
  readonly #reader: FrameReader;
  readonly #keepalive: Keepalive;

  /** Takes over `transport` and sends the opening. */
  constructor(transport: ByteTransport, role: Http2Role, options: Http2Options, events: Http2ConnectionEvents) {
    const core = new ConnectionCore(transport, role, options, events);
    const keepalive = new Keepalive(
      {
        clock: options.clock,
        intervalMs: options.pingIntervalMs ?? DEFAULT_PING_INTERVAL_MS,
        timeoutMs: options.pingTimeoutMs ?? DEFAULT_PING_TIMEOUT_MS,
      },
      (payload) => core.writer.ping(false, payload),
      () => this.#pingTimedOut(),
    );
    const limits = {
      maxFrameBytes: core.settings.maxFrameBytes,
      maxHeaderBlockBytes: options.maxHeaderBlockBytes ?? core.settings.maxHeaderListBytes,
      maxContinuations: MAX_CONTINUATIONS,
    };
    this.#core = core;
    this.#keepalive = keepalive;
    const inbound = new InboundFrames(core, keepalive);
    this.#reader = new FrameReader(inbound, limits, role === 'server');
    core.onStopped = () => {
      this.#reader.stop();
      this.#keepalive.stop();
    };
    core.sendOpening();
    transport.start({
      onData: (chunk) => this.#receive(chunk),
      keepsLast: () => inbound.takeKept(),
      onEnd: () => this.#transportEnded(),
      onClosed: (error) => core.transportClosed(this.#unlessDrained(error)),
    });
    keepalive.start();
  }

  get role(): Http2Role {
    return this.#core.role;
  }

  get openStreams(): number {
    return this.#core.streams.size;
  }

  /** What the peer allows; 100 until its SETTINGS came. */
  get peerMaxConcurrentStreams(): number {
    return this.#core.peer.maxConcurrentStreams;
  }

  /** Whether `request` may be called: open, not draining, ids and streams left. */
  get acceptsRequests(): boolean {
    const core = this.#core;
    return (
      core.role === 'client' &&
      core.state.name === 'open' &&
      core.nextLocalId <= MAX_31_BIT &&
      core.streams.size < core.peer.maxConcurrentStreams
    );
  }

  get closed(): boolean {
    return this.#core.state.name === 'closed';
  }

  /** Counters since the start of the connection. */
  get counters(): Readonly<Http2Counters> {
    this.#core.counters.framesReceived = this.#reader.framesReceived;
    return this.#core.counters;
  }

  /**
   * Opens a stream with a request (client).
   * @returns the stream, or why the request cannot go out on this connection: HTTP2_NOT_ACCEPTING,
   *   HTTP2_TOO_MANY_STREAMS or HTTP2_HEADERS_INVALID
   */
  request(
    headers: readonly Header[],
    handler: StreamHandler,
    endStream = false,
  ): Result<Http2Stream, AmbitError<Http2ErrorCode>> {
    const core = this.#core;
    if (core.role !== 'client' || core.state.name !== 'open' || core.nextLocalId > MAX_31_BIT) {
      return fail(new AmbitError('HTTP2_NOT_ACCEPTING', 'HTTP/2 connection takes no more requests: use another one'));
    }
    if (core.streams.size >= core.peer.maxConcurrentStreams) {
      return fail(new AmbitError('HTTP2_TOO_MANY_STREAMS', 'HTTP/2 peer allows no more streams: open a connection'));
    }
    const shape = checkRequest(headers);
    if (shape.problem !== undefined || !core.headersFit(headers)) {
      const problem = shape.problem ?? 'they are larger than the peer or this connection takes';
      return fail(new AmbitError('HTTP2_HEADERS_INVALID', `HTTP/2 request headers are invalid: ${problem}`));
    }
    const id = core.nextLocalId;
    core.nextLocalId += 2;
    const stream = new Http2Stream(id, core, handler, core.peer.initialWindowBytes, core.settings.initialWindowBytes);
    stream.isConnect = shape.connect;
    core.streams.set(id, stream);
    core.counters.streamsOpened += 1;
    core.writer.headers(id, headers, endStream, core.peer.maxFrameBytes);
    if (endStream) stream.markLocalEnded();
    return ok(stream);
  }

  /** Measures a round trip. Resolves with milliseconds, or with -1 when the connection ends first. */
  ping(): Promise<number> {
    return new Promise((resolve) => this.#keepalive.ping(resolve));
  }

  /**
   * Ends gracefully: no new streams, the connection closes when the present ones are done. A server first announces
   * GOAWAY with the highest id and names the real last stream after a round trip (RFC 9113 6.8).
   */
  drain(): void {
    const core = this.#core;
    if (core.state.name !== 'open') return;
    core.setState({ name: 'draining', by: 'local', refuseAbove: MAX_31_BIT });
    if (core.role === 'client') {
      if (core.streams.size > 0) core.writer.goaway(0, Http2Code.NO_ERROR);
      core.closeWhenDrained();
      return;
    }
    core.writer.goaway(MAX_31_BIT, Http2Code.NO_ERROR);
    this.#keepalive.ping(() => {
      if (!core.alive) return;
      core.setState({ name: 'draining', by: 'local', refuseAbove: core.lastPeerId });
      if (core.streams.size > 0) core.writer.goaway(core.lastPeerId, Http2Code.NO_ERROR);
      core.closeWhenDrained();
    });
  }

  /** Closes at once. Streams end as lost with `error`. */
  destroy(error?: AmbitError<Http2ErrorCode>): void {
    this.#core.destroy(error ?? new AmbitError('HTTP2_DESTROYED', 'HTTP/2 connection was closed by this side'));
  }

  #receive(chunk: Buffer): void {
    const core = this.#core;
    if (!core.alive) return;
    const fault = this.#reader.receive(chunk);
    if (fault !== undefined) {
      core.fail(fault);
    } else if (core.alive && core.outputOverflowed) {
      core.destroy(new AmbitError('HTTP2_OUTPUT_OVERFLOW', 'HTTP/2 peer causes answers and does not read them'));
    }
  }

  #transportEnded(): void {
    this.#core.close(this.#unlessDrained(undefined));
  }

  /** The error of an ended transport; none when nothing was open and nobody failed. */
  #unlessDrained(cause: Error | undefined): AmbitError<Http2ErrorCode> | undefined {
    const core = this.#core;
    return cause === undefined && core.streams.size === 0 ? undefined : transportLost(cause);
  }

  #pingTimedOut(): void {
    const core = this.#core;
    if (core.role === 'server' && core.alive) core.writer.goaway(core.lastPeerId, Http2Code.NO_ERROR);
    core.close(
      new AmbitError('HTTP2_PING_TIMEOUT', 'HTTP/2 peer did not answer a PING in time: it or the path to it is down'),
    );
  }
}
