/**
 * Turns incoming bytes into frames (RFC 9113 4.1, 6), in place.
 *
 * Invariants
 * - It never throws and never reads outside a chunk. The first fault ends reading for good.
 * - Payload of DATA is handed on in pieces as it arrives. Other known frames are handed on whole: in place when they
 *   lie in one chunk, from a private copy when they straddle chunks. Unknown frames are skipped without being kept.
 * - At most one payload is held back, no larger than `maxHeaderBlockBytes` plus padding.
 * - Between HEADERS without END_HEADERS and the last CONTINUATION no other frame is accepted (RFC 9113 6.10).
 */
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameFlag, FrameType, readUint31 } from './frame.ts';
import { checkFrameHeader, type FrameReaderLimits } from './frame-rules.ts';
import { HeaderBlock } from './header-block.ts';
import { type Fault, Http2Code } from './http2-error.ts';

/** Receives frames. A returned fault ends the connection. Payload bytes are only borrowed, except those of DATA. */
export interface FrameSink {
  /** A DATA frame begins; `flowBytes` counts payload, padding and the pad length, as flow control does. */
  onDataFrame(streamId: number, flowBytes: number, dataBytes: number, endStream: boolean): Fault | undefined;
  /** A piece of the payload of the DATA frame that began last; never empty. */
  onDataBytes(chunk: Buffer): void;
  /** The DATA frame that began last is complete. */
  onDataFrameEnd(): Fault | undefined;
  /** A complete header block in `bytes[start, end)`. */
  onHeaderBlock(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): Fault | undefined;
  onPriority(streamId: number, payloadBytes: number): Fault | undefined;
  onRstStream(streamId: number, code: number): Fault | undefined;
  onSettings(ack: boolean, bytes: Buffer, start: number, end: number): Fault | undefined;
  onPing(ack: boolean, bytes: Buffer, start: number): Fault | undefined;
  onGoaway(lastStreamId: number, code: number): Fault | undefined;
  onWindowUpdate(streamId: number, increment: number): Fault | undefined;
  onUnknownFrame(type: number): Fault | undefined;
}

type ReaderState = 'preface' | 'header' | 'pad-length' | 'data' | 'padding' | 'payload' | 'skip' | 'stopped';

const NO_BYTES = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #limits: FrameReaderLimits;
  readonly #block: HeaderBlock;
  readonly #scratch = new Uint8Array(FRAME_HEADER_BYTES);
  #state: ReaderState;
  #fault: Fault | undefined;
  /** Bytes of the preface, the frame header or the payload held back so far. */
  #held = 0;
  #partial: Buffer = NO_BYTES;
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Bytes left of what the state reads: data, padding or what is skipped. */
  #left = 0;
  #padding = 0;
  #settled = false;

  framesReceived = 0;

  /** @param expectPreface whether the bytes begin with the client preface (a server's reader) */
  constructor(sink: FrameSink, limits: FrameReaderLimits, expectPreface: boolean) {
    this.#sink = sink;
    this.#limits = limits;
    this.#block = new HeaderBlock(limits);
    this.#state = expectPreface ? 'preface' : 'header';
  }

  /** Ignores everything that comes, also the rest of the chunk being read; held bytes are freed. */
  stop(): void {
    this.#state = 'stopped';
    this.#partial = NO_BYTES;
    this.#block.clear();
  }

  /** Reads a chunk. Returns the fault that ended reading, if any. */
  receive(chunk: Buffer): Fault | undefined {
    const end = chunk.length;
    let at = 0;
    while (at < end && this.#fault === undefined && this.#state !== 'stopped') at = this.#step(chunk, at, end);
    return this.#fault;
  }

  /** Reads what the state waits for; returns the position behind it. */
  #step(chunk: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case 'header':
        return this.#header(chunk, at, end);
      case 'data':
        return this.#data(chunk, at, end);
      case 'payload':
        return this.#payload(chunk, at, end);
      case 'pad-length':
        return this.#padLength(chunk, at);
      case 'padding':
      case 'skip':
        return this.#skip(at, end);
      case 'preface':
        return this.#preface(chunk, at, end);
      case 'stopped':
        return end;
    }
  }

  #preface(chunk: Buffer, at: number, end: number): number {
    const take = Math.min(CLIENT_PREFACE.length - this.#held, end - at);
    if (CLIENT_PREFACE.compare(chunk, at, at + take, this.#held, this.#held + take) !== 0) {
      this.#fault = { code: Http2Code.PROTOCOL_ERROR, message: 'connection does not begin with the HTTP/2 preface' };
      return end;
    }
    this.#held += take;
    if (this.#held === CLIENT_PREFACE.length) this.#next();
    return at + take;
  }

  #next(): void {
    if (this.#state !== 'stopped') this.#state = 'header';
    this.#held = 0;
  }

  #header(chunk: Buffer, at: number, end: number): number {
    if (this.#held === 0 && end - at >= FRAME_HEADER_BYTES) {
      this.#begin(chunk, at);
      return at + FRAME_HEADER_BYTES;
    }
    const take = Math.min(FRAME_HEADER_BYTES - this.#held, end - at);
    for (let index = 0; index < take; index += 1) this.#scratch[this.#held + index] = chunk[at + index] ?? 0;
    this.#held += take;
    if (this.#held === FRAME_HEADER_BYTES) this.#begin(this.#scratch, 0);
    return at + take;
  }

  #begin(bytes: Uint8Array, at: number): void {
    this.framesReceived += 1;
    this.#held = 0;
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const streamId = readUint31(bytes, at + 5);
    this.#length = length;
    this.#type = type;
    this.#flags = flags;
    this.#streamId = streamId;
    this.#fault =
      this.#checkOrder(type, streamId, flags) ?? checkFrameHeader(type, flags, length, streamId, this.#limits);
    if (this.#fault !== undefined) return;
    if (type === FrameType.DATA) this.#beginData();
    else if (type > FrameType.CONTINUATION) this.#beginUnknown();
    else if (length === 0) this.#complete(NO_BYTES, 0);
    else this.#state = 'payload';
  }

  /** SETTINGS come first (RFC 9113 3.4) and a header block is contiguous. */
  #checkOrder(type: number, streamId: number, flags: number): Fault | undefined {
    if (!this.#settled) {
      if (type !== FrameType.SETTINGS || (flags & FrameFlag.ACK) !== 0) {
        return { code: Http2Code.PROTOCOL_ERROR, message: 'the first frame is not SETTINGS' };
      }
      this.#settled = true;
    }
    const open = this.#block.streamId;
    if (type === FrameType.CONTINUATION ? open !== streamId : open !== 0) {
      return { code: Http2Code.PROTOCOL_ERROR, message: 'CONTINUATION is missing, misplaced or of another stream' };
    }
    return undefined;
  }

  #beginUnknown(): void {
    this.#fault = this.#sink.onUnknownFrame(this.#type);
    this.#left = this.#length;
    if (this.#left > 0 && this.#state !== 'stopped') this.#state = 'skip';
  }

  #beginData(): void {
    this.#padding = 0;
    if ((this.#flags & FrameFlag.PADDED) !== 0) this.#state = 'pad-length';
    else this.#announceData(this.#length);
  }

  #padLength(chunk: Buffer, at: number): number {
    this.#padding = chunk[at] ?? 0;
    const dataBytes = this.#length - 1 - this.#padding;
    if (dataBytes < 0)
      this.#fault = { code: Http2Code.PROTOCOL_ERROR, message: 'padding is longer than its DATA frame' };
    else this.#announceData(dataBytes);
    return at + 1;
  }

  #announceData(dataBytes: number): void {
    const endStream = (this.#flags & FrameFlag.END_STREAM) !== 0;
    this.#left = dataBytes;
    this.#fault = this.#sink.onDataFrame(this.#streamId, this.#length, dataBytes, endStream);
    if (this.#state === 'stopped') return;
    this.#state = 'data';
    if (dataBytes === 0) this.#dataDone();
  }

  #data(chunk: Buffer, at: number, end: number): number {
    const take = Math.min(this.#left, end - at);
    this.#left -= take;
    this.#sink.onDataBytes(take === chunk.length ? chunk : chunk.subarray(at, at + take));
    if (this.#left === 0) this.#dataDone();
    return at + take;
  }

  #dataDone(): void {
    if (this.#padding > 0 && this.#state !== 'stopped') {
      this.#left = this.#padding;
      this.#state = 'padding';
      return;
    }
    this.#fault ??= this.#sink.onDataFrameEnd();
    this.#next();
  }

  #skip(at: number, end: number): number {
    const take = Math.min(this.#left, end - at);
    this.#left -= take;
    if (this.#left === 0) {
      if (this.#state === 'padding') this.#fault = this.#sink.onDataFrameEnd();
      this.#next();
    }
    return at + take;
  }

  #payload(chunk: Buffer, at: number, end: number): number {
    const length = this.#length;
    if (this.#held === 0 && end - at >= length) {
      this.#complete(chunk, at);
      return at + length;
    }
    if (this.#held === 0) this.#partial = Buffer.allocUnsafeSlow(length);
    const take = Math.min(length - this.#held, end - at);
    chunk.copy(this.#partial, this.#held, at, at + take);
    this.#held += take;
    if (this.#held === length) {
      const whole = this.#partial;
      this.#partial = NO_BYTES;
      this.#complete(whole, 0);
    }
    return at + take;
  }

  /** A frame other than DATA lies whole in `bytes` from `at`. */
  #complete(bytes: Buffer, at: number): void {
    this.#fault = this.#dispatch(bytes, at, at + this.#length);
    this.#next();
  }

  #dispatch(bytes: Buffer, at: number, end: number): Fault | undefined {
    const sink = this.#sink;
    const ack = (this.#flags & FrameFlag.ACK) !== 0;
    switch (this.#type) {
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        return this.#headers(bytes, at, end);
      case FrameType.PRIORITY:
        return sink.onPriority(this.#streamId, this.#length);
      case FrameType.RST_STREAM:
        return sink.onRstStream(this.#streamId, bytes.readUInt32BE(at));
      case FrameType.SETTINGS:
        return sink.onSettings(ack, bytes, at, end);
      case FrameType.PING:
        return sink.onPing(ack, bytes, at);
      case FrameType.GOAWAY:
        return sink.onGoaway(readUint31(bytes, at), bytes.readUInt32BE(at + 4));
      case FrameType.WINDOW_UPDATE:
        return sink.onWindowUpdate(this.#streamId, readUint31(bytes, at));
      default:
        return { code: Http2Code.PROTOCOL_ERROR, message: 'PUSH_PROMISE although push is disabled' };
    }
  }

  #headers(bytes: Buffer, at: number, end: number): Fault | undefined {
    const block = this.#block;
    const fault =
      this.#type === FrameType.HEADERS
        ? block.begin(this.#streamId, this.#flags, bytes, at, end)
        : block.append(this.#flags, bytes, at, end);
    if (fault !== undefined || !block.complete) return fault;
    const { streamId, endStream, bytes: whole, start, end: blockEnd } = block;
    block.clear();
    return this.#sink.onHeaderBlock(streamId, endStream, whole, start, blockEnd);
  }
}
