/**
 * The body of a request, held until an endpoint takes it, and kept as long as it may have to be sent again.
 *
 * Invariants:
 * - The client gets credit for a byte once, however often it is sent.
 * - While no endpoint takes it, the client's window bounds what is held; afterwards the replay limit of the request, and
 *   that of the whole waypoint, do. What exceeds them is not kept, and the request not sent again.
 */
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';

/** Bytes of bodies that are kept for another try, of all requests together. */
export class ReplayBudget {
  #leftBytes: number;

  constructor(totalBytes: number) {
    this.#leftBytes = totalBytes;
  }

  /** @returns false when there is no room */
  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

export const REPLAY_BUDGET_BYTES = 64 * 1024 * 1024;
const REPLAY_LIMIT_BYTES = 256 * 1024;

/** Drops what arrives, so that a client that goes on sending keeps no credit from its other requests. */
const DROP: HttpStreamHandler = {
  onHeaders: () => undefined,
  onData: (stream, chunk) => stream.consume(chunk.length),
  onEnd: () => undefined,
  onWritable: () => undefined,
  onClosed: (stream) => stream.releaseCredit(),
};

export class RequestBody implements HttpStreamHandler {
  readonly #budget: ReplayBudget;
  readonly #onClosed: () => void;
  readonly #onEnded: () => void;
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** What the budget counts for this request. */
  #budgetBytes = 0;
  #trailers: readonly HttpHeader[] | undefined;
  #ended: boolean;
  #keeps = true;
  #sending = false;
  /** Bytes that the present endpoint took, and the most that any took: so much credit was given back. */
  #takenBytes = 0;
  #creditedBytes = 0;
  receivedBytes = 0;
  closed: HttpCloseReason | undefined;

  /**
   * @param onEnded the client has sent all of it
   * @param onClosed the client went away before anybody took over
   */
  constructor(ended: boolean, budget: ReplayBudget, events: { onEnded(): void; onClosed(): void }) {
    this.#ended = ended;
    this.#budget = budget;
    this.#onEnded = events.onEnded;
    this.#onClosed = events.onClosed;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get empty(): boolean {
    return this.#ended && this.receivedBytes === 0 && this.#trailers === undefined;
  }

  /** Whether it can be sent (again) from its beginning. */
  get whole(): boolean {
    return this.#keeps || this.empty;
  }

  /** All of it, when the client has sent it and it was kept. */
  get complete(): Buffer | undefined {
    return this.#ended && this.whole ? Buffer.concat(this.#chunks) : undefined;
  }

  get trailers(): readonly HttpHeader[] | undefined {
    return this.#trailers;
  }

  onHeaders(_stream: HttpStream, headers: readonly HttpHeader[]): void {
    this.#trailers = headers;
  }

  onData(_stream: HttpStream, chunk: Buffer): void {
    this.receive(chunk);
  }

  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnded();
  }

  onWritable(): void {
    // Nothing is written before an upstream answers.
  }

  onClosed(stream: HttpStream, reason: HttpCloseReason): void {
    this.closed = reason;
    stream.releaseCredit();
    this.forget();
    this.#onClosed();
  }

  /** Counts what came, and keeps it as long as it may. */
  receive(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    if (!this.#keeps) return;
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#sending) this.#keepWithinLimits();
  }

  /**
   * An endpoint takes it: what is here goes to `send`, and what comes is kept if it may have to be sent again.
   * @param keep whether this may not be the last try
   */
  sendTo(send: (chunk: Buffer) => void, keep: boolean): void {
    const chunks = this.#chunks;
    this.#takenBytes = 0;
    this.#sending = true;
    if (keep) this.#keepWithinLimits();
    else this.forget();
    for (const chunk of [...chunks]) send(chunk);
  }

  /** The present endpoint took so many bytes. */
  consume(stream: HttpStream, bytes: number): void {
    this.#takenBytes += bytes;
    const more = this.#takenBytes - this.#creditedBytes;
    if (more <= 0) return;
    this.#creditedBytes = this.#takenBytes;
    stream.consume(more);
  }

  /** The present endpoint takes no more. */
  release(stream: HttpStream): void {
    if (!this.whole || stream.state === 'closed') stream.releaseCredit();
  }

  /** It is not sent again. */
  forget(): void {
    this.#keeps = false;
    this.#chunks = [];
    this.#heldBytes = 0;
    this.#budget.give(this.#budgetBytes);
    this.#budgetBytes = 0;
  }

  /** The answer is given: what came of the request, and what still comes, is dropped. */
  discard(stream: HttpStream): void {
    this.forget();
    stream.setHandler(DROP);
    stream.releaseCredit();
  }

  #keepWithinLimits(): void {
    const moreBytes = this.#heldBytes - this.#budgetBytes;
    if (this.#heldBytes <= REPLAY_LIMIT_BYTES && this.#budget.take(moreBytes)) this.#budgetBytes = this.#heldBytes;
    else this.forget();
  }
}
