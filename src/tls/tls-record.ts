/** Records of TLS 1.3 as they lie in a stream (RFC 8446 5.1, 5.2). */

export const RECORD_HEADER_BYTES = 5;
/** Of a protected record, without its header. */
export const MAX_FRAGMENT_BYTES = 16_384 + 256;

/** @returns the length of the record that begins at `offset`, its header included; undefined before that is there */
export function recordBytesAt(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes.length - offset < RECORD_HEADER_BYTES) return undefined;
  return RECORD_HEADER_BYTES + (((bytes[offset + 3] ?? 0) << 8) | (bytes[offset + 4] ?? 0));
}
