/**
 * Reads a socket into one buffer that is used again for every read, by the `onread` option of node:net. All sockets of
 * a thread may share the buffer: each read is handled before the next one begins.
 */

/** Takes a chunk whose memory is reused afterwards. Returns false to stop reading until `socket.resume()`. */
export type IntakeSink = (chunk: Uint8Array) => boolean;

/** A read of this size and its frame header fill four TLS records. */
export const INTAKE_BYTES = 65_536 - 9;

export class SocketIntake {
  #sink: IntakeSink | undefined;
  #early: Buffer | undefined;
  /** The `onread` option to make the socket with. */
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (bytes: number, buffer: Uint8Array) => boolean };

  /** @param buffer at least 1 KiB; INTAKE_BYTES is best for bulk transfers */
  constructor(buffer: Uint8Array) {
    this.onread = { buffer, callback: (bytes, source) => this.#take(source.subarray(0, bytes)) };
  }

  /** Sends what comes from now on to `sink`; what was read before it was set comes first. */
  attach(sink: IntakeSink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) sink(early);
  }

  /** Whether a read was held for lack of a sink and reading has to be resumed after `attach`. */
  get holds(): boolean {
    return this.#early !== undefined;
  }

  #take(chunk: Uint8Array): boolean {
    if (this.#sink !== undefined) return this.#sink(chunk);
    this.#early = this.#early === undefined ? Buffer.from(chunk) : Buffer.concat([this.#early, chunk]);
    return false;
  }
}
