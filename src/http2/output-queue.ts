/**
 * Gathers output in pooled blocks and hands them to the transport: at once when a TLS record is full, otherwise once per
 * turn of the event loop, after its poll phase.
 *
 * Invariants
 * - At most one block is with the transport at a time; what comes meanwhile is gathered for the next write.
 * - No block is held while there is nothing to send.
 * - `bytes` counts what was written here and not yet taken by the transport.
 */
import { BLOCK_BYTES, type BlockPool } from './block-pool.ts';
import type { ByteTransport } from './transport.ts';

const NO_BLOCK = Buffer.alloc(0);
/** One TLS record: flushed at once, so that the next hop works while the rest of the turn is gathered. */
const EARLY_BYTES = 16_384;
/** Above this much unsent output streams have to wait; enough to keep a transport busy between two turns. */
const BLOCKED_BYTES = 4 * BLOCK_BYTES;

export class OutputQueue {
  readonly #transport: ByteTransport;
  readonly #pool: BlockPool;
  readonly #onDrained: () => void;
  readonly #written = (): void => this.#onWritten();
  readonly #flushNow = (): void => {
    this.#scheduled = false;
    this.flush();
  };
  /** Blocks behind the one in flight, with their lengths. */
  #full: { readonly block: Buffer; readonly length: number }[] = [];
  #inFlight: Buffer | undefined;
  #inFlightBytes = 0;
  #scheduled = false;
  #closed = false;
  #wasBlocked = false;
  /** The block being filled; empty when there is none. */
  block: Buffer = NO_BLOCK;
  /** Where the next byte goes in `block`. */
  position = 0;
  bytes = 0;

  /** @param onDrained called after the queue was found blocked and has room again, and whenever it became empty */
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

  get empty(): boolean {
    return this.bytes === 0;
  }

  /** Makes room for `bytes` (at most BLOCK_BYTES) in one piece behind `position`. */
  reserve(bytes: number): void {
    if (this.block.length - this.position >= bytes) return;
    if (this.position > 0) this.#roll();
    if (this.block === NO_BLOCK) this.block = this.#pool.take();
  }

  /** Room left in the current block. */
  get room(): number {
    return this.block.length - this.position;
  }

  /** Takes over `bytes` that were written to `block` at `position`. */
  commit(bytes: number): void {
    this.position += bytes;
    this.bytes += bytes;
    if (this.position >= EARLY_BYTES && this.#inFlight === undefined) {
      this.flush();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushNow);
  }

  /** Sends what there is unless the transport is still busy, which then continues by itself. */
  flush(): void {
    if (this.#inFlight !== undefined || this.#closed) return;
    const full = this.#full.shift();
    if (full !== undefined) {
      this.#send(full.block, full.length);
    } else if (this.position > 0) {
      const { block, position } = this;
      this.block = NO_BLOCK;
      this.position = 0;
      this.#send(block, position);
    }
  }

  /** Drops everything and sends nothing more. */
  close(): void {
    this.#closed = true;
    this.#full = [];
    this.block = NO_BLOCK;
    this.position = 0;
    this.bytes = 0;
  }

  /** Puts the current block behind those waiting, or sends it when none is. */
  #roll(): void {
    if (this.#inFlight === undefined && this.#full.length === 0) {
      this.flush();
      return;
    }
    this.#full.push({ block: this.block, length: this.position });
    this.block = NO_BLOCK;
    this.position = 0;
  }

  #send(block: Buffer, length: number): void {
    this.#inFlight = block;
    this.#inFlightBytes = length;
    const bytes = length === block.length ? block : block.subarray(0, length);
    if (this.#transport.write(bytes, this.#written)) process.nextTick(this.#written);
  }

  #onWritten(): void {
    const block = this.#inFlight;
    this.#inFlight = undefined;
    if (block !== undefined) this.#pool.release(block);
    if (this.#closed) return;
    this.bytes -= this.#inFlightBytes;
    // In the turn's check phase nothing more is gathered behind this point, so the rest goes out now.
    this.flush();
    if (this.bytes === 0 || (this.#wasBlocked && this.bytes < BLOCKED_BYTES / 2)) {
      this.#wasBlocked = false;
      this.#onDrained();
    }
  }
}
