/**
 * Gathers output in pooled blocks. The owner flushes when a message or its present part is complete.
 *
 * Invariants
 * - At most one block is with the transport at a time; what comes meanwhile is gathered for the next write.
 * - No block is held while there is nothing to send.
 * - `bytes` counts what was written here and not yet taken by the transport.
 */
import type { BlockPool } from '../http2/block-pool.ts';
import type { ByteTransport } from '../http2/transport.ts';

const NO_BLOCK = Buffer.alloc(0);
/** Above this much unsent output writers have to wait; enough to keep a transport busy between two turns. */
const BLOCKED_BYTES = 262_144;

export class Http1Output {
  readonly #transport: ByteTransport;
  readonly #pool: BlockPool;
  readonly #onDrained: () => void;
  readonly #written = (): void => this.#onWritten();
  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.flush();
  };
  readonly #drainedLater = (): void => this.#drained();
  readonly #full: { readonly block: Buffer; readonly length: number }[] = [];
  #block: Buffer = NO_BLOCK;
  #position = 0;
  #inFlight: Buffer | undefined;
  #inFlightBytes = 0;
  #scheduled = false;
  #closed = false;
  #wasBlocked = false;
  /** Written and not yet taken by the transport. */
  bytes = 0;
  /** Given to the transport since the start. */
  sentBytes = 0;

  /**
   * @param onDrained called after the output was found blocked and has room again, and whenever it became empty later than
   *   in `flush` itself
   */
  constructor(transport: ByteTransport, pool: BlockPool, onDrained: () => void) {
    this.#transport = transport;
    this.#pool = pool;
    this.#onDrained = onDrained;
  }

  /** Whether data should wait for the transport. */
  get blocked(): boolean {
    if (this.bytes < BLOCKED_BYTES) return false;
    this.#wasBlocked = true;
    return true;
  }

  /** Appends latin1 text. */
  text(text: string): void {
    if (this.#closed) return;
    this.bytes += text.length;
    if (text.length <= this.#room()) {
      this.#position += this.#block.write(text, this.#position, 'latin1');
      return;
    }
    this.#copy(Buffer.from(text, 'latin1'));
  }

  /** Appends a copy of `chunk`. */
  copy(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.bytes += chunk.length;
    this.#copy(chunk);
  }

  /** Sends what there is when the present callback of the event loop is over. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#flushLater);
  }

  /** Sends what there is, unless the transport is still busy, which then continues by itself. */
  flush(): void {
    while (this.#inFlight === undefined && !this.#closed) {
      const full = this.#full.shift();
      if (full !== undefined) {
        this.#send(full.block, full.length);
      } else if (this.#position > 0) {
        const block = this.#block;
        const length = this.#position;
        this.#block = NO_BLOCK;
        this.#position = 0;
        this.#send(block, length);
      } else return;
    }
  }

  /** Drops everything and sends nothing more. */
  close(): void {
    this.#closed = true;
    this.#full.length = 0;
    this.#block = NO_BLOCK;
    this.#position = 0;
    this.bytes = 0;
  }

  #copy(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(this.#room(), chunk.length - at);
      this.#block.set(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), this.#position);
      this.#position += taken;
      at += taken;
    }
  }

  /** Room in the present block, a new one when it is full. */
  #room(): number {
    if (this.#position === this.#block.length) {
      if (this.#position > 0) this.#full.push({ block: this.#block, length: this.#position });
      this.#block = this.#pool.take();
      this.#position = 0;
      this.flush();
    }
    return this.#block.length - this.#position;
  }

  #send(block: Buffer, length: number): void {
    this.#inFlight = block;
    this.#inFlightBytes = length;
    this.sentBytes += length;
    const isTaken = this.#transport.write(length === block.length ? block : block.subarray(0, length), this.#written);
    if (!isTaken) return;
    this.#taken();
    // Whoever was told to wait is somewhere above this call.
    if (this.#wasBlocked) process.nextTick(this.#drainedLater);
  }

  #taken(): void {
    const block = this.#inFlight;
    this.#inFlight = undefined;
    if (block !== undefined) this.#pool.release(block);
    if (!this.#closed) this.bytes -= this.#inFlightBytes;
  }

  #onWritten(): void {
    this.#taken();
    if (this.#closed) return;
    this.flush();
    this.#drained();
  }

  #drained(): void {
    if (this.#closed || (this.bytes > 0 && !(this.#wasBlocked && this.bytes < BLOCKED_BYTES / 2))) return;
    this.#wasBlocked = false;
    this.#onDrained();
  }
}
