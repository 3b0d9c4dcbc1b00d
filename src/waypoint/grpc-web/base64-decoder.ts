/**
 * Base64 that comes in pieces, each character on its own or in segments that end with padding (gRPC-Web protocol).
 *
 * Invariant: at most three characters are held.
 */

const QUANTUM = 4;
const UNPADDED = /^[A-Za-z0-9+/]*$/;
const SEGMENTS = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/;
const SEGMENT = /[A-Za-z0-9+/]+={0,2}/g;

export class Base64Decoder {
  #rest = '';

  /** Whether the last quantum is not whole. */
  get isPartial(): boolean {
    return this.#rest !== '';
  }

  /** What is whole by now; undefined for what is no base64. */
  decode(chunk: Buffer): Buffer | undefined {
    const text = this.#rest + chunk.toString('latin1');
    const whole = text.length - (text.length % QUANTUM);
    this.#rest = text.slice(whole);
    const ready = text.slice(0, whole);
    if (UNPADDED.test(ready)) return Buffer.from(ready, 'base64');
    if (!SEGMENTS.test(ready)) return undefined;
    return Buffer.concat((ready.match(SEGMENT) ?? []).map((segment) => Buffer.from(segment, 'base64')));
  }
}
