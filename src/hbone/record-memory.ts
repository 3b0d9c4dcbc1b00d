/**
 * Memory that the tunnels of a thread read into and open their records in, used again for every read: to allocate it each
 * time has the garbage collector walk the heap many times a second.
 */
import { hasNativeAddon } from '../native/addon.ts';
import type { MeshTlsOptions } from '../tls/mesh-tls.ts';
import { MAX_FRAGMENT_BYTES, RECORD_HEADER_BYTES } from '../tls/tls-record.ts';

/** So many whole records come with one read of a bulk transfer. */
const READ_RECORDS = 16;
/** Reads of messages, which may keep what they were opened in: the room for others in it is not worth having. */
const SMALL_BYTES = 8192;

export class RecordMemory {
  /** What is read goes here; every read is handled before the next one. */
  readonly readBuffer: Uint8Array = Buffer.allocUnsafeSlow(READ_RECORDS * (RECORD_HEADER_BYTES + MAX_FRAGMENT_BYTES));
  #small: Buffer | undefined;
  #large: Buffer | undefined;

  /** @returns at least as many bytes, the caller's until it gives them back, or for good */
  take(bytes: number): Buffer {
    if (bytes <= SMALL_BYTES) {
      const small = this.#small ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
      this.#small = undefined;
      return small;
    }
    if (bytes > this.readBuffer.length) return Buffer.allocUnsafeSlow(bytes);
    const large = this.#large ?? Buffer.allocUnsafeSlow(this.readBuffer.length);
    this.#large = undefined;
    return large;
  }

  /** Takes back what nothing refers to any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === SMALL_BYTES) this.#small = buffer;
    else if (buffer.length === this.readBuffer.length) this.#large = buffer;
  }
}

/** What the tunnels of a thread share; undefined where node:tls reads and writes: without the addon, or for TLS 1.2. */
export function recordMemory({ tls12 }: Pick<MeshTlsOptions, 'tls12'>): RecordMemory | undefined {
  return tls12 || !hasNativeAddon() ? undefined : new RecordMemory();
}
