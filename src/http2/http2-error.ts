/** Error codes of HTTP/2 (RFC 9113 7) and the failures this module reports to its callers. */
import { AmbitError } from '../base/errors.ts';

/** The codes carried by RST_STREAM and GOAWAY (RFC 9113 7). */
export const Http2Code = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** Why a connection ended or an operation on it was not possible. */
export type Http2ErrorCode =
  | 'HTTP2_PROTOCOL_VIOLATION'
  | 'HTTP2_FLOOD'
  | 'HTTP2_PEER_GOAWAY'
  | 'HTTP2_TRANSPORT_LOST'
  | 'HTTP2_PING_TIMEOUT'
  | 'HTTP2_OUTPUT_OVERFLOW'
  | 'HTTP2_NOT_ACCEPTING'
  | 'HTTP2_TOO_MANY_STREAMS'
  | 'HTTP2_HEADERS_INVALID'
  | 'HTTP2_DESTROYED';

/** A violation by the peer: the code to answer with and a diagnosis. Whether a stream or the connection ends is the caller's part. */
export interface Fault {
  readonly code: number;
  readonly message: string;
}

const NAMES = Object.keys(Http2Code);

/** The name of a code, or `0x…` for one RFC 9113 does not define. */
export function http2CodeName(code: number): string {
  return NAMES[code] ?? `0x${code.toString(16)}`;
}

/** The error a connection ends with after a violation by its peer. */
export function faultError(fault: Fault): AmbitError<Http2ErrorCode> {
  const flood = fault.code === Http2Code.ENHANCE_YOUR_CALM;
  return new AmbitError(
    flood ? 'HTTP2_FLOOD' : 'HTTP2_PROTOCOL_VIOLATION',
    `HTTP/2 peer violated the protocol (${http2CodeName(fault.code)}): ${fault.message}`,
    { side: 'downstream' },
  );
}
