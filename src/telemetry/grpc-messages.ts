/** Counts the messages in a body of gRPC: each is one byte of flags, four of length, and so many more (gRPC over HTTP/2). */

const PREFIX_BYTES = 5;

export class GrpcMessageCounter {
  /** Messages whose prefix is complete. */
  messages = 0;
  #prefixBytes = 0;
  #lengthBytes = 0;
  /** Of the present message. */
  #leftBytes = 0;

  receive(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#leftBytes > 0) {
        const taken = Math.min(this.#leftBytes, chunk.length - at);
        this.#leftBytes -= taken;
        at += taken;
        continue;
      }
      if (this.#prefixBytes > 0) this.#lengthBytes = this.#lengthBytes * 256 + (chunk[at] ?? 0);
      at += 1;
      this.#prefixBytes += 1;
      if (this.#prefixBytes < PREFIX_BYTES) continue;
      this.messages += 1;
      this.#leftBytes = this.#lengthBytes;
      this.#prefixBytes = 0;
      this.#lengthBytes = 0;
    }
  }
}
