/** Output buffers of one size, shared by the connections of a thread so that idle ones hold none. */

/** Four TLS records of 16 KiB. */
export const BLOCK_BYTES = 65_536;

export class BlockPool {
  readonly #free: Buffer[] = [];
  readonly #maxFree: number;

  /** @param maxFree blocks kept for reuse; more than that are left to the garbage collector */
  constructor(maxFree = 16) {
    this.#maxFree = maxFree;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  release(block: Buffer): void {
    if (this.#free.length < this.#maxFree) this.#free.push(block);
  }
}
