/**
 * The body of a request, held until an endpoint takes it, and kept as long as it may have to be sent again.
 *
 * Invariants:
 * - The client gets credit for a byte once, however often it is sent.
 * - While no endpoint takes it, the client's window bounds what is held, or what somebody wants to look at first, as long
 *   as the whole waypoint has room; afterwards the replay limit of the request, and that of the whole waypoint, do. What
 *   exceeds them is not kept, and the request not sent again.
 * - A trailer never says what only somebody else may say in a header.
 */
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { isTrailerName } from '../http1/trailers.ts';

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

/** What came of waiting for a body: all of it, as much as was wanted, or no room for more. */
export type Held = 'whole' | 'enough' | 'no-room';

interface Hold {
  readonly stream: HttpStream;
  readonly wantedBytes: number;
  readonly onHeld: (held: Held) => void;
}

export interface BodyEvents {
  /** A part came from the client. */
  onBodyData?(chunk: Buffer): void;
  /** The client has sent all of it. */
  onBodyEnded(): void;
  /** The client went away before anybody took over. */
  onClientGone(): void;
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
  readonly #events: BodyEvents;
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** What the budget counts for this request. */
  #budgetBytes = 0;
  #trailers: readonly HttpHeader[] | undefined;
  /** Names of headers that are not the client's to set. */
  #reserved: Set<string> | undefined;
  #ended: boolean;
  #keeps = true;
  #retained = false;
  #sending = false;
  /** Who waits for it before it goes anywhere. */
  #hold: Hold | undefined;
  /** Bytes that the present endpoint took, and the most that any took: so much credit was given back. */
  #takenBytes = 0;
  #creditedBytes = 0;
  receivedBytes = 0;
  closed: HttpCloseReason | undefined;

  constructor(ended: boolean, budget: ReplayBudget, events: BodyEvents) {
    this.#ended = ended;
    this.#budget = budget;
    this.#events = events;
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

  /** Whether it is kept beyond the last try, for copies of the request. */
  get retained(): boolean {
    return this.#retained;
  }

  /** Keeps it, within its limits, until the request is over. */
  retain(): void {
    this.#retained = true;
  }

  /** All of it, when the client has sent it and it was kept. */
  get complete(): Buffer | undefined {
    return this.#ended && this.whole ? Buffer.concat(this.#chunks) : undefined;
  }

  /** What may go on of the client's trailers. */
  get trailers(): readonly HttpHeader[] | undefined {
    return this.#trailers?.filter(([name]) => isTrailerName(name) && this.#reserved?.has(name) !== true);
  }

  /** These headers are set by others than the client: endpoints may read a trailer of the name like them. */
  reserve(names: Iterable<string>): void {
    this.#reserved ??= new Set();
    for (const name of names) this.#reserved.add(name);
  }

  onHeaders(_stream: HttpStream, headers: readonly HttpHeader[]): void {
    this.#trailers = headers;
  }

  onData(_stream: HttpStream, chunk: Buffer): void {
    this.receive(chunk);
    if (this.#hold !== undefined) this.#holdMore(this.#hold, chunk.length);
  }

  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#held('whole');
    this.#events.onBodyEnded();
  }

  onWritable(): void {
    // Nothing is written before an upstream answers.
  }

  onClosed(stream: HttpStream, reason: HttpCloseReason): void {
    this.closed = reason;
    this.#hold = undefined;
    stream.releaseCredit();
    this.forget();
    this.#events.onClientGone();
  }

  /**
   * Waits, while nobody takes it, for all of it or its first bytes; the client gets credit for so much. A client that goes
   * away meanwhile is reported as ever, and `onHeld` not called.
   */
  hold(stream: HttpStream, wantedBytes: number, onHeld: (held: Held) => void): void {
    if (this.#ended) return onHeld('whole');
    this.#hold = { stream, wantedBytes, onHeld };
    this.#holdMore(this.#hold, this.#heldBytes);
  }

  /** The first bytes of what is held. */
  beginning(maxBytes: number): Buffer {
    return Buffer.concat(this.#chunks).subarray(0, maxBytes);
  }

  /** Counts what came, and keeps it as long as it may. */
  receive(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.#events.onBodyData?.(chunk);
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
    if (keep || this.#retained) this.#keepWithinLimits();
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

  /** No endpoint takes it for now: what comes is held, bounded by the client's window, so that it stays whole. */
  pause(): void {
    this.#sending = false;
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
    this.#hold = undefined;
    this.forget();
    stream.setHandler(DROP);
    stream.releaseCredit();
  }

  #holdMore({ stream, wantedBytes }: Hold, newBytes: number): void {
    if (!this.#budget.take(this.#heldBytes - this.#budgetBytes)) return this.#held('no-room');
    this.#budgetBytes = this.#heldBytes;
    this.consume(stream, newBytes);
    if (this.#heldBytes >= wantedBytes) this.#held('enough');
  }

  #held(held: Held): void {
    const hold = this.#hold;
    this.#hold = undefined;
    hold?.onHeld(held);
  }

  #keepWithinLimits(): void {
    const moreBytes = this.#heldBytes - this.#budgetBytes;
    if (this.#heldBytes <= REPLAY_LIMIT_BYTES && this.#budget.take(moreBytes)) this.#budgetBytes = this.#heldBytes;
    else this.forget();
  }
}
