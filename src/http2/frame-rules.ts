/** What the header of a frame alone can get wrong: sizes and stream ids by type (RFC 9113 4.2, 6). */
import { FrameFlag, FrameType } from './frame.ts';
import { type Fault, Http2Code } from './http2-error.ts';

export interface FrameReaderLimits {
  /** SETTINGS_MAX_FRAME_SIZE of this side. */
  readonly maxFrameBytes: number;
  /** Encoded size of a header block over all its frames. */
  readonly maxHeaderBlockBytes: number;
  /** CONTINUATION frames of one header block. */
  readonly maxContinuations: number;
}

/** Padding and priority of a HEADERS frame. */
const HEADERS_EXTRA_BYTES = 1 + 255 + 5;
/** Room for 64 settings; RFC 9113 defines six. */
const MAX_SETTINGS_BYTES = 64 * 6;
/** GOAWAY with debug text; more is never read. */
const MAX_GOAWAY_BYTES = 16_384;

const TOO_LARGE: Fault = { code: Http2Code.FRAME_SIZE_ERROR, message: 'frame is larger than SETTINGS_MAX_FRAME_SIZE' };

function sizeFault(name: string): Fault {
  return { code: Http2Code.FRAME_SIZE_ERROR, message: `${name} frame has a wrong length` };
}

function calm(message: string): Fault {
  return { code: Http2Code.ENHANCE_YOUR_CALM, message };
}

const NEEDS_STREAM: Fault = { code: Http2Code.PROTOCOL_ERROR, message: 'a stream frame came on stream 0' };
const NEEDS_ZERO: Fault = { code: Http2Code.PROTOCOL_ERROR, message: 'a connection frame came on a stream' };

/** Checks a frame by its header. PRIORITY of a wrong length is a stream error and not found here. */
export function checkFrameHeader(
  type: number,
  flags: number,
  length: number,
  streamId: number,
  limits: FrameReaderLimits,
): Fault | undefined {
  if (length > limits.maxFrameBytes) return TOO_LARGE;
  switch (type) {
    case FrameType.DATA:
      if (streamId === 0) return NEEDS_STREAM;
      return (flags & FrameFlag.PADDED) !== 0 && length === 0 ? sizeFault('DATA') : undefined;
    case FrameType.HEADERS:
    case FrameType.CONTINUATION:
      if (streamId === 0) return NEEDS_STREAM;
      return length > limits.maxHeaderBlockBytes + HEADERS_EXTRA_BYTES ? calm('header block is too large') : undefined;
    case FrameType.PRIORITY:
      if (streamId === 0) return NEEDS_STREAM;
      return length > 64 ? sizeFault('PRIORITY') : undefined;
    case FrameType.RST_STREAM:
    case FrameType.WINDOW_UPDATE:
      return checkWordFrame(type, length, streamId);
    default:
      return checkConnectionFrame(type, flags, length, streamId);
  }
}

function checkWordFrame(type: number, length: number, streamId: number): Fault | undefined {
  if (length !== 4) return sizeFault(type === FrameType.RST_STREAM ? 'RST_STREAM' : 'WINDOW_UPDATE');
  return type === FrameType.RST_STREAM && streamId === 0 ? NEEDS_STREAM : undefined;
}

function checkConnectionFrame(type: number, flags: number, length: number, streamId: number): Fault | undefined {
  switch (type) {
    case FrameType.SETTINGS:
      if (streamId !== 0) return NEEDS_ZERO;
      if (length % 6 !== 0 || ((flags & FrameFlag.ACK) !== 0 && length > 0)) return sizeFault('SETTINGS');
      return length > MAX_SETTINGS_BYTES ? calm('SETTINGS frame holds too many settings') : undefined;
    case FrameType.PING:
      if (streamId !== 0) return NEEDS_ZERO;
      return length === 8 ? undefined : sizeFault('PING');
    case FrameType.GOAWAY:
      if (streamId !== 0) return NEEDS_ZERO;
      if (length < 8) return sizeFault('GOAWAY');
      return length > MAX_GOAWAY_BYTES ? calm('GOAWAY frame is too large') : undefined;
    case FrameType.PUSH_PROMISE:
      return { code: Http2Code.PROTOCOL_ERROR, message: 'PUSH_PROMISE although push is disabled' };
    default:
      return undefined;
  }
}
