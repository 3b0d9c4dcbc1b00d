/** Frames the body of one message. */
import type { HttpHeader } from '../http/http-stream.ts';
import { writeTrailers } from './head-parts.ts';
import type { Http1Output } from './http1-output.ts';
import type { BodyKind } from './message-head.ts';
import { isTrailerName } from './trailers.ts';

export class BodyWriter {
  readonly #output: Http1Output;
  readonly kind: BodyKind;
  /** What a body with `length` still lacks. */
  #leftBytes: number;

  constructor(output: Http1Output, kind: BodyKind, contentBytes: number) {
    this.#output = output;
    this.kind = kind;
    this.#leftBytes = contentBytes;
  }

  /** Writes data; of a message that has no body nothing goes out. Returns false when it is more than was announced. */
  data(chunk: Uint8Array): boolean {
    const output = this.#output;
    switch (this.kind) {
      case 'none':
        return true;
      case 'length':
        if (chunk.length > this.#leftBytes) return false;
        this.#leftBytes -= chunk.length;
        output.copy(chunk);
        return true;
      case 'chunked':
        if (chunk.length === 0) return true;
        output.text(`${chunk.length.toString(16)}\r\n`);
        output.copy(chunk);
        output.text('\r\n');
        return true;
      default:
        output.copy(chunk);
        return true;
    }
  }

  /** Ends the body. Returns false when it is less than was announced. */
  end(): boolean {
    if (this.kind === 'chunked') this.#output.text('0\r\n\r\n');
    return this.kind !== 'length' || this.#leftBytes === 0;
  }

  /** Ends the body with trailers, which only a chunked one can carry. Returns false when they or the body are invalid. */
  trailers(headers: readonly HttpHeader[]): boolean {
    if (this.kind !== 'chunked') return this.end();
    const text = writeTrailers(headers, isTrailerName);
    if (text === undefined) return false;
    this.#output.text(`0\r\n${text}\r\n`);
    return true;
  }
}
