/**
 * Puts a header block together from HEADERS and CONTINUATION (RFC 9113 4.3, 6.2, 6.10).
 *
 * Invariants
 * - A block of one frame is not copied: `bytes` then is the caller's memory and only valid until it returns.
 * - Encoded size and number of CONTINUATION frames are bounded; nothing is held between blocks.
 */
import { FrameFlag } from './frame.ts';
import type { FrameReaderLimits } from './frame-rules.ts';
import { type Fault, Http2Code } from './http2-error.ts';

const NO_BYTES = Buffer.alloc(0);

const BAD_PADDING: Fault = {
  code: Http2Code.PROTOCOL_ERROR,
  message: 'padding or priority is longer than its HEADERS frame',
};
const TOO_LARGE: Fault = { code: Http2Code.ENHANCE_YOUR_CALM, message: 'header block is too large' };
const TOO_MANY: Fault = { code: Http2Code.ENHANCE_YOUR_CALM, message: 'header block has too many CONTINUATION frames' };

export class HeaderBlock {
  readonly #limits: FrameReaderLimits;
  #continuations = 0;
  /** Stream of the block being read; 0 between blocks. */
  streamId = 0;
  endStream = false;
  complete = false;
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;

  constructor(limits: FrameReaderLimits) {
    this.#limits = limits;
  }

  clear(): void {
    this.streamId = 0;
    this.complete = false;
    this.bytes = NO_BYTES;
    this.start = 0;
    this.end = 0;
  }

  /** A HEADERS payload in `bytes[at, end)`. */
  begin(streamId: number, flags: number, bytes: Buffer, at: number, end: number): Fault | undefined {
    const padded = (flags & FrameFlag.PADDED) !== 0;
    const start = at + (padded ? 1 : 0) + ((flags & FrameFlag.PRIORITY) !== 0 ? 5 : 0);
    const fragmentEnd = end - (padded ? (bytes[at] ?? 0) : 0);
    if (fragmentEnd < start) return BAD_PADDING;
    if (fragmentEnd - start > this.#limits.maxHeaderBlockBytes) return TOO_LARGE;
    this.streamId = streamId;
    this.endStream = (flags & FrameFlag.END_STREAM) !== 0;
    this.#continuations = 0;
    this.complete = (flags & FrameFlag.END_HEADERS) !== 0;
    if (this.complete) {
      this.bytes = bytes;
      this.start = start;
      this.end = fragmentEnd;
    } else {
      this.#keep(bytes, start, fragmentEnd);
    }
    return undefined;
  }

  /** A CONTINUATION payload in `bytes[at, end)`. */
  append(flags: number, bytes: Buffer, at: number, end: number): Fault | undefined {
    this.#continuations += 1;
    if (this.#continuations > this.#limits.maxContinuations) return TOO_MANY;
    if (this.end + (end - at) > this.#limits.maxHeaderBlockBytes) return TOO_LARGE;
    this.#keep(bytes, at, end);
    this.complete = (flags & FrameFlag.END_HEADERS) !== 0;
    return undefined;
  }

  #keep(bytes: Buffer, at: number, end: number): void {
    const needed = this.end + (end - at);
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#limits.maxHeaderBlockBytes, Math.max(needed * 2, 1024)));
      this.bytes.copy(larger, 0, 0, this.end);
      this.bytes = larger;
    }
    bytes.copy(this.bytes, this.end, at, end);
    this.end = needed;
  }
}
