/** DNS messages on a TCP stream: two bytes of length in front of each (RFC 1035 4.2.2, RFC 7766 8). */

const LENGTH_BYTES = 2;

/** A message as it goes onto the stream, in one piece. */
export function frameDnsMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/** Cuts a stream into messages. It never holds more than one unfinished message and the chunk that is being read. */
export class DnsFrameReader {
  readonly #maxBytes: number;
  #pending: Buffer = Buffer.alloc(0);

  /** @param maxBytes longest message taken; a longer one breaks the stream */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the stream stands between two messages. */
  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** The messages that the chunk completed; undefined when the stream is broken and has to be closed. */
  push(chunk: Uint8Array): Buffer[] | undefined {
    const bytes = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    const messages: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt16BE(at);
      if (length > this.#maxBytes) return undefined;
      if (bytes.length - at - LENGTH_BYTES < length) break;
      messages.push(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    // Copied, so that a short rest does not keep a long chunk alive.
    this.#pending = Buffer.from(bytes.subarray(at));
    return messages;
  }
}
