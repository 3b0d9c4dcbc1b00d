/**
 * One direction between two streams: what arrives on `from` goes to `to`, at the pace of the slower one.
 *
 * Invariants:
 * - Credit goes back to `from` only for bytes that `to` took, so at most a stream window waits.
 * - The end, and trailers with it, follow the last byte.
 */
import type { HttpHeader, HttpStream } from './http-stream.ts';

/** RFC 9113 7. */
const INTERNAL_ERROR = 2;

/** Where the bytes come from, as far as their credit goes. */
type CreditTaker = Pick<HttpStream, 'consume' | 'releaseCredit'>;

export class StreamPipe {
  #from: CreditTaker | undefined;
  #to: HttpStream | undefined;
  /** Received while `to` takes nothing; at most a stream window. */
  #waiting: Buffer[] = [];
  /** Taken by `to` while it was behind: the credit waits until it is not. */
  #owedBytes = 0;
  #blocked = false;
  #trailers: readonly HttpHeader[] | undefined;
  /** Whether `from` has ended its side. */
  ended = false;

  /** Once, before anything else is called. */
  connect(from: CreditTaker, to: HttpStream): void {
    this.#from = from;
    this.#to = to;
  }

  data(chunk: Buffer): void {
    if (this.#to?.canSend === false) this.#from?.consume(chunk.length);
    else if (this.#blocked) this.#waiting.push(chunk);
    else this.#send(chunk);
  }

  trailers(headers: readonly HttpHeader[]): void {
    this.#trailers = headers;
  }

  /** `to` is over: what waits for it is dropped, and its credit given back. */
  abandon(): void {
    this.#waiting = [];
    this.#owedBytes = 0;
    this.#blocked = false;
    if (this.#to?.canSend !== true) this.#from?.releaseCredit();
  }

  end(): void {
    this.ended = true;
    this.#endWhenEmpty();
  }

  /** `to` takes data again. */
  resume(): void {
    this.#blocked = false;
    const owedBytes = this.#owedBytes;
    this.#owedBytes = 0;
    this.#from?.consume(owedBytes);
    while (!this.#blocked) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) break;
      this.#send(chunk);
    }
    if (this.ended) this.#endWhenEmpty();
  }

  #send(chunk: Buffer): void {
    if (this.#to?.write(chunk) === true) this.#from?.consume(chunk.length);
    else {
      this.#blocked = true;
      this.#owedBytes += chunk.length;
    }
  }

  #endWhenEmpty(): void {
    const to = this.#to;
    if (to === undefined || this.#waiting.length > 0) return;
    if (this.#trailers === undefined) return to.end();
    // Trailers follow the last byte: they wait until everything before them was sent.
    if (to.pendingBytes > 0 || to.sendTrailers(this.#trailers)) return;
    // It takes no headers of this size, and would wait for an end that does not come.
    if (to.canSend) to.reset(INTERNAL_ERROR);
  }
}
