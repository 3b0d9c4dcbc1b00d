/**
 * Frames of gRPC as base64, as they come: each is a segment with its own padding, so that a client has the whole frame
 * without waiting for the next (gRPC-Web protocol).
 *
 * Invariant: at most two bytes are held, however long a frame is.
 */

const HEADER_BYTES = 5;
const GROUP = 3;

export class FrameEncoder {
  /** Of the present frame's header. */
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Of the present frame's message, still to come. */
  #leftBytes = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** Text for what is whole by now; may be empty. */
  encode(chunk: Uint8Array): string {
    let text = '';
    let at = 0;
    while (at < chunk.length) {
      const end = this.#frameEnd(chunk, at);
      text += this.#take(chunk.subarray(at, end), this.#isFrameOver);
      at = end;
    }
    return text;
  }

  /** Text for what is left of a frame that was cut. */
  flush(): string {
    return this.#take(new Uint8Array(0), true);
  }

  get #isFrameOver(): boolean {
    return this.#headerBytes === 0;
  }

  /** Where the present frame ends in the chunk, or the chunk does. */
  #frameEnd(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerBytes < HEADER_BYTES) {
      const byte = chunk[at];
      if (byte === undefined) return at;
      this.#header[this.#headerBytes++] = byte;
      at += 1;
      if (this.#headerBytes === HEADER_BYTES) this.#leftBytes = this.#header.readUInt32BE(1);
    }
    const taken = Math.min(this.#leftBytes, chunk.length - at);
    this.#leftBytes -= taken;
    if (this.#leftBytes === 0) this.#headerBytes = 0;
    return at + taken;
  }

  #take(bytes: Uint8Array, isLast: boolean): string {
    const all = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const whole = isLast ? all.length : all.length - (all.length % GROUP);
    this.#rest = all.subarray(whole);
    return all.toString('base64', 0, whole);
  }
}
