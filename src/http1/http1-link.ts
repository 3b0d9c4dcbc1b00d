/**
 * The transport under an HTTP/1 connection: output, back-pressure of what comes in, and the end.
 *
 * Invariants
 * - States only move open, ending, closed. In `ending` the last output goes out and what comes in is dropped.
 * - Reading pauses while `windowBytes` or more are with handlers, or while a read waits for the next exchange. So at
 *   most a window and two reads are held for one connection.
 * - `owner.onClosed` is called exactly once.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http1Output } from './http1-output.ts';
import type { PausableTransport } from './transport.ts';

/** Told what happens on a link. */
export interface LinkOwner {
  /** Bytes came in, from `from` on. The memory is valid during the call. */
  onBytes(bytes: Buffer, from: number): void;
  /** The peer ended its side. */
  onEnd(): void;
  /** The output has room again, or is empty. */
  onDrained(): void;
  /** The transport is gone; exactly once. */
  onClosed(error: Error | undefined): void;
}

export interface LinkOptions {
  readonly clock: Clock;
  /** Output buffers, shared by the connections of a thread. */
  readonly pool: BlockPool;
  /** Received bytes with handlers before reading pauses. Default 256 KiB. */
  readonly windowBytes?: number;
}

const DEFAULT_WINDOW_BYTES = 262_144;
/** The peer may take this long to close its side, as with Envoy's delayed_close (facts l7-and-control 10.3). */
const CLOSE_GRACE_MS = 1000;
/** The last output may stand still this long for a peer that does not read. */
const FLUSH_TIMEOUT_MS = 60_000;

export class Http1Link {
  readonly #transport: PausableTransport;
  readonly #owner: LinkOwner;
  readonly #clock: Clock;
  readonly #windowBytes: number;
  readonly output: Http1Output;
  #state: 'open' | 'ending' | 'closed' = 'open';
  #owedBytes = 0;
  #held: Buffer | undefined;
  #paused = false;
  #sideEnded = false;
  #peerEnded = false;
  #graceTimer: Timer | undefined;

  constructor(transport: PausableTransport, options: LinkOptions, owner: LinkOwner) {
    this.#transport = transport;
    this.#owner = owner;
    this.#clock = options.clock;
    this.#windowBytes = options.windowBytes ?? DEFAULT_WINDOW_BYTES;
    this.output = new Http1Output(transport, options.pool, () => this.#drained());
  }

  start(): void {
    this.#transport.start({
      onData: (chunk) => this.#received(chunk),
      onEnd: () => this.#ended(),
      onClosed: (error) => this.#closed(error),
    });
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Whether reading waits for handlers or for the next exchange. */
  get paused(): boolean {
    return this.#paused;
  }

  get peerEnded(): boolean {
    return this.#peerEnded;
  }

  /** Whether a read waits for the next exchange. */
  get holds(): boolean {
    return this.#held !== undefined;
  }

  /** A piece of a read for a handler to keep; it counts until `returnCredit`. */
  piece(bytes: Buffer, start: number, end: number): Buffer {
    this.#owedBytes += end - start;
    if (this.#owedBytes >= this.#windowBytes) this.#pause();
    if (this.#transport.lendsMemory) return Buffer.from(bytes.subarray(start, end));
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }

  /** Bytes given out by `piece` left this process. */
  returnCredit(bytes: number): void {
    this.#owedBytes -= bytes;
    this.#resume();
  }

  /** Keeps the rest of a read until `takeHeld`, and pauses. */
  hold(bytes: Buffer, from: number): void {
    const rest = bytes.subarray(from);
    this.#held = this.#transport.lendsMemory ? Buffer.from(rest) : rest;
    this.#pause();
  }

  /** The rest that was held, if any; reading goes on unless it is held again. */
  takeHeld(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  /** Goes on reading if nothing stands against it. */
  readOn(): void {
    this.#resume();
  }

  /** Ends this side behind what was written; the peer's goes on (a tunnel). */
  endSide(): void {
    if (this.#sideEnded) return;
    this.#sideEnded = true;
    this.output.flush();
    if (this.output.bytes === 0) this.#transport.end();
  }

  /** Sends what was written and closes. What still comes in is dropped. */
  finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#held = undefined;
    this.#owedBytes = 0;
    this.#resume();
    this.endSide();
    this.#awaitEnd();
  }

  /** Closes at once, so that the peer takes nothing for complete. */
  abort(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#transport.abort();
    this.#closed(error);
  }

  #received(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    if (this.#held === undefined) this.#owner.onBytes(chunk, 0);
    // A transport that delivers although it is paused is not trusted to stop.
    else this.abort();
  }

  #ended(): void {
    this.#peerEnded = true;
    if (this.#state === 'open') this.#owner.onEnd();
  }

  #drained(): void {
    if (this.output.bytes === 0 && this.#sideEnded) this.#transport.end();
    if (this.output.bytes === 0 && this.#state === 'ending') this.#awaitEnd();
    this.#owner.onDrained();
  }

  /** Waits for the peer: to take the last output as long as it takes any, then to close its side. */
  #awaitEnd(): void {
    if (this.#state === 'closed') return;
    this.#graceTimer?.cancel();
    const { bytes, sentBytes } = this.output;
    this.#graceTimer = this.#clock.after(bytes === 0 ? CLOSE_GRACE_MS : FLUSH_TIMEOUT_MS, () => {
      if (bytes > 0 && this.output.sentBytes > sentBytes) this.#awaitEnd();
      else this.#transport.destroy();
    });
  }

  #closed(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#graceTimer?.cancel();
    this.#held = undefined;
    this.#owner.onClosed(error);
    this.output.close();
  }

  #pause(): void {
    if (this.#paused || this.#state !== 'open') return;
    this.#paused = true;
    this.#transport.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#state === 'closed' || this.#held !== undefined) return;
    if (this.#owedBytes > this.#windowBytes / 2) return;
    this.#paused = false;
    this.#transport.resume();
  }
}
