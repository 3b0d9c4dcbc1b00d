/** Writes frames into the output queue. Sizes are the caller's care, except that header blocks are split here. */

import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameFlag, FrameType, writeUint32 } from './frame.ts';
import type { Header } from './header.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { OutputQueue } from './output-queue.ts';

export class FrameWriter {
  readonly #output: OutputQueue;
  readonly encoder: HpackEncoder;

  constructor(output: OutputQueue, encoder: HpackEncoder) {
    this.#output = output;
    this.encoder = encoder;
  }

  preface(): void {
    this.#output.reserve(CLIENT_PREFACE.length);
    CLIENT_PREFACE.copy(this.#output.block, this.#output.position);
    this.#output.commit(CLIENT_PREFACE.length);
  }

  settings(payload: Buffer): void {
    this.#control(FrameType.SETTINGS, 0, 0, payload);
  }

  settingsAck(): void {
    this.#start(FrameType.SETTINGS, FrameFlag.ACK, 0, 0);
    this.#output.commit(FRAME_HEADER_BYTES);
  }

  /** `payload` has 8 bytes. */
  ping(ack: boolean, payload: Uint8Array): void {
    this.#control(FrameType.PING, ack ? FrameFlag.ACK : 0, 0, payload);
  }

  rstStream(streamId: number, code: number): void {
    this.#word(FrameType.RST_STREAM, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#word(FrameType.WINDOW_UPDATE, streamId, increment);
  }

  goaway(lastStreamId: number, code: number): void {
    const at = this.#start(FrameType.GOAWAY, 0, 0, 8);
    writeUint32(this.#output.block, at, lastStreamId);
    writeUint32(this.#output.block, at + 4, code);
    this.#output.commit(FRAME_HEADER_BYTES + 8);
  }

  /** A DATA frame with `chunk[from, from + bytes)`; the queue must have room for it (`reserve`). */
  data(streamId: number, chunk: Uint8Array, from: number, bytes: number, endStream: boolean): void {
    const at = this.#start(FrameType.DATA, endStream ? FrameFlag.END_STREAM : 0, streamId, bytes);
    const { block } = this.#output;
    if (bytes > 0) block.set(bytes === chunk.length ? chunk : chunk.subarray(from, from + bytes), at);
    this.#output.commit(FRAME_HEADER_BYTES + bytes);
  }

  /** HEADERS, and CONTINUATION as far as `maxFrameBytes` asks for it. `HpackEncoder.maxBytes(headers)` must fit a block. */
  headers(streamId: number, headers: readonly Header[], endStream: boolean, maxFrameBytes: number): void {
    const output = this.#output;
    output.reserve(FRAME_HEADER_BYTES + HpackEncoder.maxBytes(headers));
    const { block, position } = output;
    const start = position + FRAME_HEADER_BYTES;
    const bytes = this.encoder.encode(headers, block, start) - start;
    const flags = endStream ? FrameFlag.END_STREAM : 0;
    if (bytes <= maxFrameBytes) {
      writeHeader(block, position, FrameType.HEADERS, flags | FrameFlag.END_HEADERS, streamId, bytes);
      output.commit(FRAME_HEADER_BYTES + bytes);
      return;
    }
    const whole = Buffer.from(block.subarray(start, start + bytes));
    for (let from = 0; from < bytes; from += maxFrameBytes) {
      const part = whole.subarray(from, from + maxFrameBytes);
      const last = from + maxFrameBytes >= bytes ? FrameFlag.END_HEADERS : 0;
      if (from === 0) this.#control(FrameType.HEADERS, flags | last, streamId, part);
      else this.#control(FrameType.CONTINUATION, last, streamId, part);
    }
  }

  #word(type: number, streamId: number, value: number): void {
    const at = this.#start(type, 0, streamId, 4);
    writeUint32(this.#output.block, at, value);
    this.#output.commit(FRAME_HEADER_BYTES + 4);
  }

  #control(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const at = this.#start(type, flags, streamId, payload.length);
    this.#output.block.set(payload, at);
    this.#output.commit(FRAME_HEADER_BYTES + payload.length);
  }

  /** Writes a frame header where there is room for the frame and returns where its payload goes. */
  #start(type: number, flags: number, streamId: number, length: number): number {
    const output = this.#output;
    output.reserve(FRAME_HEADER_BYTES + length);
    writeHeader(output.block, output.position, type, flags, streamId, length);
    return output.position + FRAME_HEADER_BYTES;
  }
}

function writeHeader(block: Buffer, at: number, type: number, flags: number, streamId: number, length: number): void {
  block[at] = length >>> 16;
  block[at + 1] = length >>> 8;
  block[at + 2] = length;
  block[at + 3] = type;
  block[at + 4] = flags;
  writeUint32(block, at + 5, streamId);
}
