/** Ids of traces and spans: random hexadecimal digits, never all zero. */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const SPAN_ID_BYTES = 8;

export class TraceIds {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #at = POOL_BYTES;

  /** 16 digits. */
  spanId(): string {
    return this.#hex();
  }

  /** 32 digits. */
  traceId(): string {
    return this.#hex() + this.#hex();
  }

  #hex(): string {
    if (this.#at + SPAN_ID_BYTES > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const id = this.#pool.toString('hex', this.#at, this.#at + SPAN_ID_BYTES);
    this.#at += SPAN_ID_BYTES;
    return id === '0000000000000000' ? this.#hex() : id;
  }
}
