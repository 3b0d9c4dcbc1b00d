/**
 * Reads the sizes and separators of a chunked body (RFC 9112 7.1). The owner takes the data.
 *
 * Invariants
 * - A size is hex digits only, directly followed by CRLF or by an extension, which is dropped and bounded per message.
 * - After the last chunk's size the owner reads the trailer section, beginning with the CR of that line.
 */
import { CLASSES, CR, hexValue, LF, SEMICOLON, VALUE } from './chars.ts';
import { type Http1Fault, malformed } from './http1-fault.ts';
import { MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_SIZE_DIGITS } from './limits.ts';

type Place = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers';

export class ChunkDecoder {
  #place: Place = 'size';
  #digits = 0;
  #extensionBytes = 0;
  /** Data left in the present chunk. */
  dataBytes = 0;
  fault: Http1Fault | undefined;

  /** Whether data of a chunk comes next. */
  get inData(): boolean {
    return this.#place === 'data';
  }

  /** Whether the trailer section comes next. */
  get atTrailers(): boolean {
    return this.#place === 'trailers';
  }

  /** The owner took data of the present chunk. */
  tookData(bytes: number): void {
    this.dataBytes -= bytes;
    if (this.dataBytes === 0) this.#place = 'data-cr';
  }

  /** Reads from `from` on until data or trailers come, something is wrong, or the read ends. Returns where it stopped. */
  read(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && !this.inData) {
      if (!this.#step(bytes[at] ?? 0)) return at;
      // The CR of the last size line belongs to the trailer section.
      if (this.atTrailers) return at;
      at += 1;
    }
    return at;
  }

  #step(code: number): boolean {
    switch (this.#place) {
      case 'size':
        return this.#size(code);
      case 'extension':
        return this.#extension(code);
      case 'size-lf':
        return code === LF ? this.#go('data') : this.#refuse('a chunk size does not end with CRLF');
      case 'data-cr':
        return code === CR ? this.#go('data-lf') : this.#refuse('a chunk does not end with CRLF');
      case 'data-lf':
        if (code !== LF) return this.#refuse('a chunk does not end with CRLF');
        this.#digits = 0;
        return this.#go('size');
      default:
        return false;
    }
  }

  #size(code: number): boolean {
    const digit = hexValue(code);
    if (digit >= 0) {
      this.#digits += 1;
      if (this.#digits > MAX_CHUNK_SIZE_DIGITS) return this.#refuse('a chunk size is too large');
      this.dataBytes = this.dataBytes * 16 + digit;
      return true;
    }
    if (this.#digits === 0) return this.#refuse('a chunk size is no hex number');
    if (code === SEMICOLON) return this.#go('extension');
    return code === CR ? this.#sizeEnded() : this.#refuse('a chunk size is no hex number');
  }

  #extension(code: number): boolean {
    if (code === CR) return this.#sizeEnded();
    this.#extensionBytes += 1;
    if (((CLASSES[code] ?? 0) & VALUE) === 0) return this.#refuse('a chunk extension holds a control character');
    return this.#extensionBytes <= MAX_CHUNK_EXTENSION_BYTES || this.#refuse('chunk extensions are too large');
  }

  #sizeEnded(): boolean {
    return this.#go(this.dataBytes === 0 ? 'trailers' : 'size-lf');
  }

  #go(place: Place): true {
    this.#place = place;
    return true;
  }

  #refuse(message: string): false {
    this.fault = malformed(message);
    return false;
  }
}
