/** What a peer may send in one message (Envoy's defaults where it has them: facts l7-and-control 10.1). */

/** A request line or a status line, without its CRLF; longer request lines are answered with 414. */
export const MAX_START_LINE_BYTES = 16_384;
/** Start line and fields of one head; more is answered with 431. */
export const MAX_HEAD_BYTES = 61_440;
/** Fields of one head; more are answered with 431. */
export const MAX_FIELDS = 100;
/** A method; longer ones are answered with 501. */
export const MAX_METHOD_BYTES = 32;
/** The trailer section of one message. */
export const MAX_TRAILER_BYTES = 8192;
/** Fields of one trailer section. */
export const MAX_TRAILER_FIELDS = 32;
/** Hex digits of a chunk's size, leading zeros included: 2^52 - 1 at most. */
export const MAX_CHUNK_SIZE_DIGITS = 13;
/** Chunk extensions of one message, which are dropped. */
export const MAX_CHUNK_EXTENSION_BYTES = 4096;
/** Digits of a content-length: below 2^53. */
export const MAX_CONTENT_LENGTH_DIGITS = 15;
/** Output that a peer does not take: the writer ignores back-pressure, and the exchange is reset. */
export const MAX_PENDING_OUTPUT_BYTES = 4_194_304;

/** Bounds that a listener or a pool may set. */
export interface Http1Limits {
  readonly startLineBytes: number;
  readonly headBytes: number;
  readonly fields: number;
}

/** The bounds above. */
export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  startLineBytes: MAX_START_LINE_BYTES,
  headBytes: MAX_HEAD_BYTES,
  fields: MAX_FIELDS,
};
