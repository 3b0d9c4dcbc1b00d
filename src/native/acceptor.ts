/**
 * Accepts connections on a listening descriptor.
 *
 * Invariants:
 * - the acceptor owns the listening descriptor, unless its constructor throws; the callback owns the descriptors of the
 *   records it is given;
 * - a wake-up accepts at most `maxBatch` connections, so that other events get their turn; the kernel wakes again
 *   while more wait;
 * - out of descriptors, one waiting connection is refused with the reserved descriptor (it would otherwise keep the
 *   loop awake for ever) and accepting rests for `BACK_OFF_MS`.
 */
import { closeSync, openSync } from 'node:fs';
import { type Clock, systemClock, type Timer } from '../base/clock.ts';
import { type AcceptedRecord, type FdWatch, nativeAddon } from './addon.ts';
import { fromErrno, isWouldBlock, readFailure } from './from-errno.ts';

const READABLE = 1;
const BACK_OFF_MS = 100;
const DEFAULT_MAX_BATCH = 64;

export interface AcceptorOptions {
  /** Ask for the destination before REDIRECT. Default false. */
  readonly originalDst?: boolean;
  /** Connections accepted per wake-up. Default 64. */
  readonly maxBatch?: number;
}

export interface AcceptorDeps {
  readonly onAccept: (batch: AcceptedRecord[]) => void;
  /** Accepting failed in a way that repeats (EMFILE, ...): for a log line and a counter. It goes on after a rest. */
  readonly onError?: (error: Error) => void;
  readonly clock?: Clock;
}

/** A listening descriptor that is accepted from as soon as `resume()` was called. */
export class Acceptor {
  readonly #listenFd: number;
  readonly #options: AcceptorOptions;
  readonly #deps: AcceptorDeps;
  readonly #clock: Clock;
  readonly #watch: FdWatch;
  #state: 'paused' | 'accepting' | 'resting' | 'closed' = 'paused';
  #rest: Timer | undefined;
  /** Closed for a moment when descriptors run out; -1 when it could not be had back. */
  #reserveFd: number;

  constructor(listenFd: number, options: AcceptorOptions, deps: AcceptorDeps) {
    this.#listenFd = listenFd;
    this.#options = options;
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    // Before the watch: that owns the listening descriptor, and nobody could close it any more where this failed.
    this.#reserveFd = openSync('/dev/null', 'r');
    try {
      this.#watch = new (nativeAddon().FdWatch)(listenFd, (event) => this.#onReadable(event));
    } catch (error) {
      closeSync(this.#reserveFd);
      throw error;
    }
  }

  /** Starts or goes on accepting. */
  resume(): void {
    if (this.#state === 'closed' || this.#state === 'accepting') return;
    this.#setState('accepting');
  }

  /** Stops accepting; connections wait in the backlog. */
  pause(): void {
    if (this.#state !== 'closed') this.#setState('paused');
  }

  /** Closes the listening descriptor. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#setState('closed');
    this.#watch.close();
    if (this.#reserveFd >= 0) closeSync(this.#reserveFd);
    this.#reserveFd = -1;
  }

  #setState(state: 'paused' | 'accepting' | 'resting' | 'closed'): void {
    this.#rest?.cancel();
    this.#rest = undefined;
    this.#state = state;
    if (state === 'closed') return;
    const result = this.#watch.watch(state === 'accepting' ? READABLE : 0);
    if (result < 0) throw fromErrno(result, 'listener');
    if (state === 'resting') this.#rest = this.#clock.after(BACK_OFF_MS, () => this.#setState('accepting'));
  }

  #onReadable(event: number): void {
    if (this.#state !== 'accepting') return;
    if (event < 0) {
      this.#onFailure(event);
      return;
    }
    const { maxBatch = DEFAULT_MAX_BATCH, originalDst = false } = this.#options;
    const batch: AcceptedRecord[] = [];
    const result = nativeAddon().acceptBatch(this.#listenFd, maxBatch, originalDst, batch);
    if (result < 0 && !isWouldBlock(result)) this.#onFailure(result);
    if (batch.length > 0) this.#deps.onAccept(batch);
  }

  #onFailure(result: number): void {
    const { errnoName } = readFailure(result);
    if (errnoName === 'EMFILE' || errnoName === 'ENFILE') this.#refuseOne();
    this.#setState('resting');
    this.#deps.onError?.(fromErrno(result, 'listener'));
  }

  #refuseOne(): void {
    if (this.#reserveFd >= 0) closeSync(this.#reserveFd);
    const fd = nativeAddon().acceptOne(this.#listenFd);
    if (fd >= 0) nativeAddon().closeFd(fd);
    try {
      this.#reserveFd = openSync('/dev/null', 'r');
    } catch {
      // Another thread took the descriptor: connections wait in the backlog until one is free.
      this.#reserveFd = -1;
    }
  }
}
