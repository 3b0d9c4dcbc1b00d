/**
 * Judges what comes in: stream states, flow control, header rules and flood budgets (RFC 9113 5, 6, 8).
 *
 * Invariants
 * - A returned fault ends the connection; a stream's fault resets the stream and is paid from the reset budget, the
 *   same one that pays for the peer's own resets, so that a peer cannot have work thrown away for free either way.
 * - Every DATA byte that does not reach a handler gives its connection credit back at once.
 * - Header blocks are decoded even when their stream is refused, to keep the compression state.
 */
import type { ConnectionCore } from './connection-core.ts';
import { MAX_31_BIT } from './frame.ts';
import type { FrameSink } from './frame-reader.ts';
import type { Header } from './header.ts';
import { checkRequest, checkResponse, checkTrailers } from './header-rules.ts';
import { type DecodedHeaders, HpackDecoder } from './hpack-decoder.ts';
import { type Fault, Http2Code } from './http2-error.ts';
import type { Keepalive } from './keepalive.ts';
import { Http2Stream, type StreamHandler } from './stream.ts';

function fault(code: number, message: string): Fault {
  return { code, message };
}

function flood(message: string): Fault {
  return fault(Http2Code.ENHANCE_YOUR_CALM, message);
}

const CONTROL_FLOOD = flood('too many control frames');
const EMPTY_FLOOD = flood('too many empty DATA frames');
const RESET_FLOOD = flood('too many streams were reset');
const WINDOW_FLOOD = flood('too many WINDOW_UPDATE frames');
const CLOSED = fault(Http2Code.STREAM_CLOSED, 'HEADERS for a stream that is over (RFC 9113 5.1, 5.1.1)');
const IDLE = fault(Http2Code.PROTOCOL_ERROR, 'a frame came for a stream that was never opened');
const CONNECTION_OVERRUN = fault(Http2Code.FLOW_CONTROL_ERROR, 'more DATA than the connection window allows');
const WINDOW_OVERFLOW = fault(Http2Code.FLOW_CONTROL_ERROR, 'a send window exceeds 2^31-1');

const DEFAULT_MAX_HEADERS = 256;

/** Takes calls of a stream before it has a handler and after it was refused. */
const NO_HANDLER: StreamHandler = {
  onHeaders: ignore,
  onData: (stream, chunk) => stream.consume(chunk.length),
  onEnd: ignore,
  onClosed: ignore,
  onWritable: ignore,
};

export class InboundFrames implements FrameSink {
  readonly #core: ConnectionCore;
  readonly #keepalive: Keepalive;
  readonly #decoder: HpackDecoder;
  /** The stream of the DATA frame being read, and whether the frame ends it. */
  #current: Http2Stream | undefined;
  #currentEnds = false;
  #isKept = false;

  constructor(core: ConnectionCore, keepalive: Keepalive) {
    this.#core = core;
    this.#keepalive = keepalive;
    this.#decoder = new HpackDecoder({
      maxHeaderListBytes: core.settings.maxHeaderListBytes,
      maxHeaders: core.options.maxHeaders ?? DEFAULT_MAX_HEADERS,
    });
  }

  onDataFrame(streamId: number, flowBytes: number, dataBytes: number, endStream: boolean): Fault | undefined {
    const core = this.#core;
    this.#current = undefined;
    this.#currentEnds = endStream;
    if (!core.receiveWindow.take(flowBytes)) return CONNECTION_OVERRUN;
    if (dataBytes === 0 && !endStream && !core.budgets.empty.take()) return EMPTY_FLOOD;
    const stream = core.streams.get(streamId);
    if (stream === undefined) {
      core.returnConnectionCredit(flowBytes);
      return this.#dataWithoutStream(streamId);
    }
    const problem = dataProblem(stream, flowBytes, dataBytes, endStream);
    if (problem !== undefined) {
      core.returnConnectionCredit(flowBytes);
      return this.#streamFault(stream, problem);
    }
    if (flowBytes > dataBytes) core.returnCredit(stream, flowBytes - dataBytes);
    this.#current = stream;
    return undefined;
  }

  onDataBytes(chunk: Buffer): void {
    const stream = this.#current;
    if (stream === undefined) return;
    if (stream.state === 'closed') this.#core.returnConnectionCredit(chunk.length);
    else if (stream.deliver(chunk)) this.#isKept = true;
  }

  /** Whether a handler may have kept data since this was asked last. */
  takeKept(): boolean {
    const isKept = this.#isKept;
    this.#isKept = false;
    return isKept;
  }

  onDataFrameEnd(): Fault | undefined {
    if (this.#currentEnds) this.#current?.remoteEnded();
    this.#current = undefined;
    return undefined;
  }

  onHeaderBlock(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): Fault | undefined {
    const decoded = this.#decoder.decode(bytes, start, end);
    if (!decoded.ok) return decoded.error;
    const stream = this.#core.streams.get(streamId);
    if (stream !== undefined) return this.#headersOf(stream, decoded.value, endStream);
    const opens = this.#core.role === 'server' && (streamId & 1) === 1 && streamId > this.#core.lastPeerId;
    return opens ? this.#newStream(streamId, decoded.value, endStream) : this.#headersWithoutStream(streamId);
  }

  onPriority(streamId: number, payloadBytes: number): Fault | undefined {
    if (!this.#core.budgets.control.take()) return CONTROL_FLOOD;
    if (payloadBytes === 5) return undefined;
    const problem = fault(Http2Code.FRAME_SIZE_ERROR, 'PRIORITY frame has a wrong length');
    const stream = this.#core.streams.get(streamId);
    return stream === undefined ? problem : this.#streamFault(stream, problem);
  }

  onRstStream(streamId: number, code: number): Fault | undefined {
    const core = this.#core;
    core.counters.rstReceived += 1;
    const stream = core.streams.get(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) return IDLE;
      return core.budgets.control.take() ? undefined : CONTROL_FLOOD;
    }
    // Once answered, a reset costs its sender a whole request and is an ordinary end of a tunnel.
    const early = !stream.answered;
    stream.close({ kind: 'reset', by: 'peer', code });
    return early && !core.budgets.reset.take() ? RESET_FLOOD : undefined;
  }

  onSettings(ack: boolean, bytes: Buffer, start: number, end: number): Fault | undefined {
    const core = this.#core;
    core.counters.settingsReceived += 1;
    if (!core.budgets.control.take()) return CONTROL_FLOOD;
    if (ack) return undefined;
    const { peer } = core;
    const before = peer.initialWindowBytes;
    const problem = peer.apply(core.role, bytes, start, end) ?? this.#resizeStreams(peer.initialWindowBytes - before);
    if (problem !== undefined) return problem;
    core.writer.encoder.setPeerMaxTableBytes(peer.headerTableBytes);
    core.writer.settingsAck();
    core.events.onSettings?.();
    if (core.alive) core.pump();
    return undefined;
  }

  onPing(ack: boolean, bytes: Buffer, start: number): Fault | undefined {
    const core = this.#core;
    if (ack && this.#keepalive.pong(bytes, start)) return undefined;
    core.counters.pingsReceived += 1;
    if (!core.budgets.ping.take()) return CONTROL_FLOOD;
    if (!ack) core.writer.ping(true, bytes.subarray(start, start + 8));
    return undefined;
  }

  onGoaway(lastStreamId: number, code: number): Fault | undefined {
    const core = this.#core;
    if (!core.budgets.control.take()) return CONTROL_FLOOD;
    const { state } = core;
    if (state.name === 'open') core.setState({ name: 'draining', by: 'peer', refuseAbove: MAX_31_BIT });
    core.events.onGoaway?.(lastStreamId, code);
    if (core.role === 'client') {
      for (const stream of [...core.streams.values()]) {
        if (stream.id > lastStreamId) stream.close({ kind: 'unprocessed' });
      }
    }
    core.closeWhenDrained();
    return undefined;
  }

  onWindowUpdate(streamId: number, increment: number): Fault | undefined {
    const core = this.#core;
    if (!core.budgets.window.take()) return WINDOW_FLOOD;
    if (streamId === 0) {
      if (increment === 0) return fault(Http2Code.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0 on the connection');
      if (!core.sendWindow.grow(increment)) return WINDOW_OVERFLOW;
    } else {
      const stream = core.streams.get(streamId);
      if (stream === undefined) return this.#isIdle(streamId) ? IDLE : undefined;
      if (increment === 0) return this.#streamFault(stream, fault(Http2Code.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0'));
      if (!stream.sendWindow.grow(increment)) return this.#streamFault(stream, WINDOW_OVERFLOW);
      if (stream.hasPending) core.enqueue(stream);
    }
    core.pump();
    return undefined;
  }

  onUnknownFrame(_type: number): Fault | undefined {
    return this.#core.budgets.control.take() ? undefined : CONTROL_FLOOD;
  }

  /** Whether a stream id was never used: its frames are a violation, not late. */
  #isIdle(streamId: number): boolean {
    const core = this.#core;
    if ((streamId & 1) === 0) return true;
    return core.role === 'server' ? streamId > core.lastPeerId : streamId >= core.nextLocalId;
  }

  /** HEADERS for a stream that is over or was passed by: late if this side reset it, else no peer may send them. */
  #headersWithoutStream(streamId: number): Fault | undefined {
    if (this.#isIdle(streamId)) return IDLE;
    return this.#core.closedByReset.has(streamId) ? undefined : CLOSED;
  }

  /** DATA for a stream that is not there: late if it was reset by this side, else a violation. */
  #dataWithoutStream(streamId: number): Fault | undefined {
    if (this.#isIdle(streamId)) return IDLE;
    const core = this.#core;
    if (core.closedByReset.has(streamId)) return undefined;
    if (!core.budgets.reset.take()) return RESET_FLOOD;
    core.sendRst(streamId, Http2Code.STREAM_CLOSED);
    return undefined;
  }

  #streamFault(stream: Http2Stream, problem: Fault): Fault | undefined {
    this.#core.resetStream(stream, problem.code);
    return this.#core.budgets.reset.take() ? undefined : RESET_FLOOD;
  }

  #resizeStreams(difference: number): Fault | undefined {
    if (difference === 0) return undefined;
    for (const stream of this.#core.streams.values()) {
      if (!stream.sendWindow.grow(difference)) return WINDOW_OVERFLOW;
      if (stream.hasPending) this.#core.enqueue(stream);
    }
    return undefined;
  }

  #newStream(streamId: number, decoded: DecodedHeaders, endStream: boolean): Fault | undefined {
    const core = this.#core;
    const { state } = core;
    if (state.name === 'draining' && streamId > state.refuseAbove)
      return this.#refuse(streamId, Http2Code.REFUSED_STREAM);
    core.lastPeerId = streamId;
    if (core.streams.size >= core.settings.maxConcurrentStreams) {
      return this.#refuse(streamId, Http2Code.REFUSED_STREAM);
    }
    if (decoded.overLimit) return this.#refuse(streamId, Http2Code.ENHANCE_YOUR_CALM);
    const shape = checkRequest(decoded.headers);
    if (shape.problem !== undefined || (endStream && shape.contentBytes > 0)) {
      return this.#refuse(streamId, Http2Code.PROTOCOL_ERROR);
    }
    const stream = this.#open(streamId);
    stream.isConnect = shape.connect;
    stream.inbound = shape.connect ? 'tunnel' : 'body';
    stream.contentBytesLeft = shape.contentBytes;
    this.#announce(stream, decoded.headers, endStream);
    return undefined;
  }

  #refuse(streamId: number, code: number): Fault | undefined {
    this.#core.sendRst(streamId, code);
    return this.#core.budgets.reset.take() ? undefined : RESET_FLOOD;
  }

  #open(streamId: number): Http2Stream {
    const core = this.#core;
    const { initialWindowBytes } = core.peer;
    const stream = new Http2Stream(streamId, core, NO_HANDLER, initialWindowBytes, core.settings.initialWindowBytes);
    core.streams.set(streamId, stream);
    core.counters.streamsOpened += 1;
    return stream;
  }

  #announce(stream: Http2Stream, headers: readonly Header[], endStream: boolean): void {
    const handler = this.#core.events.onStream?.(stream, headers, endStream);
    if (handler === undefined) {
      stream.reset(Http2Code.REFUSED_STREAM);
      return;
    }
    if (stream.state === 'closed') {
      handler.onClosed(stream, stream.closeReason);
      return;
    }
    if (stream.handler === NO_HANDLER) stream.setHandler(handler);
    if (endStream) stream.remoteEnded();
  }

  #headersOf(stream: Http2Stream, decoded: DecodedHeaders, endStream: boolean): Fault | undefined {
    const problem = decoded.overLimit
      ? fault(Http2Code.ENHANCE_YOUR_CALM, 'header list is above SETTINGS_MAX_HEADER_LIST_SIZE')
      : headersProblem(stream, decoded.headers, endStream);
    if (problem !== undefined) return this.#streamFault(stream, problem);
    stream.handler.onHeaders(stream, decoded.headers, endStream);
    if (endStream) stream.remoteEnded();
    return undefined;
  }
}

/** What is wrong with DATA for this stream; otherwise counts it. */
function dataProblem(stream: Http2Stream, flowBytes: number, dataBytes: number, endStream: boolean): Fault | undefined {
  if (stream.inbound === 'ended') return fault(Http2Code.STREAM_CLOSED, 'DATA after END_STREAM');
  if (stream.inbound === 'headers') return fault(Http2Code.PROTOCOL_ERROR, 'DATA before the response headers');
  if (!stream.receiveWindow.take(flowBytes)) {
    return fault(Http2Code.FLOW_CONTROL_ERROR, 'more DATA than the stream window allows');
  }
  if (stream.contentBytesLeft < 0) return undefined;
  stream.contentBytesLeft -= dataBytes;
  if (stream.contentBytesLeft < 0 || (endStream && stream.contentBytesLeft > 0)) {
    return fault(Http2Code.PROTOCOL_ERROR, 'content-length does not match the DATA');
  }
  return undefined;
}

/** What is wrong with HEADERS on an open stream; otherwise moves its inbound phase on. */
function headersProblem(stream: Http2Stream, headers: readonly Header[], endStream: boolean): Fault | undefined {
  switch (stream.inbound) {
    case 'ended':
      return fault(Http2Code.STREAM_CLOSED, 'HEADERS after END_STREAM');
    case 'tunnel':
      return fault(Http2Code.PROTOCOL_ERROR, 'HEADERS inside a tunnel');
    case 'body': {
      const problem = endStream ? checkTrailers(headers) : 'HEADERS in the middle of a message';
      if (problem !== undefined) return fault(Http2Code.PROTOCOL_ERROR, problem);
      return stream.contentBytesLeft > 0
        ? fault(Http2Code.PROTOCOL_ERROR, 'content is shorter than announced')
        : undefined;
    }
    case 'headers': {
      const { problem, status } = checkResponse(headers);
      if (problem !== undefined) return fault(Http2Code.PROTOCOL_ERROR, problem);
      if (status < 200) return endStream ? fault(Http2Code.PROTOCOL_ERROR, 'an interim response ends') : undefined;
      stream.answered = true;
      stream.inbound = stream.isConnect && status < 300 ? 'tunnel' : 'body';
      return undefined;
    }
  }
}

function ignore(): void {
  // Nobody is interested in this stream any more.
}
