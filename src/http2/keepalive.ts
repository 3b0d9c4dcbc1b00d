/**
 * PING in both uses: round trips somebody asked for, and keep-alive (facts ztunnel-wire 7.4): the first PING after the
 * interval, the next one an interval after each answer, and an end when no answer comes in time.
 *
 * Invariants
 * - One timer at most, and none when keep-alive is off.
 * - Pings are answered in order; an answer that was not asked for is not taken.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { readUint32, writeUint32 } from './frame.ts';

export interface KeepaliveOptions {
  readonly clock: Clock;
  /** 0 turns keep-alive off; pings on request still work. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

interface PendingPing {
  readonly number: number;
  readonly sentAtMs: number;
  /** Called with the round trip in ms, or -1 when the connection ended first. */
  readonly done: (roundTripMs: number) => void;
}

/** Marks the payload as ours. */
const MARK = 0x616d6269;
/** More pings than that in flight are not sent; their callers get -1. */
const MAX_PENDING = 16;

export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #send: (payload: Uint8Array) => void;
  readonly #onTimeout: () => void;
  #pending: PendingPing[] | undefined;
  #timer: Timer | undefined;
  #number = 0;
  #stopped = false;

  constructor(options: KeepaliveOptions, send: (payload: Uint8Array) => void, onTimeout: () => void) {
    this.#options = options;
    this.#send = send;
    this.#onTimeout = onTimeout;
  }

  start(): void {
    const { clock, intervalMs } = this.#options;
    if (intervalMs > 0 && !this.#stopped) this.#timer = clock.after(intervalMs, () => this.#probe());
  }

  /** Sends a PING; `done` gets the round trip in ms, or -1 when there will be no answer. */
  ping(done: (roundTripMs: number) => void): void {
    const pending = this.#pending ?? [];
    if (this.#stopped || pending.length >= MAX_PENDING) {
      done(-1);
      return;
    }
    this.#pending = pending;
    this.#number = (this.#number + 1) >>> 0;
    pending.push({ number: this.#number, sentAtMs: this.#options.clock.monotonicMs(), done });
    const payload = new Uint8Array(8);
    writeUint32(payload, 0, MARK);
    writeUint32(payload, 4, this.#number);
    this.#send(payload);
  }

  /** An answer came, its payload in `bytes` from `at`. Returns false when it answers nothing. */
  pong(bytes: Uint8Array, at: number): boolean {
    const first = this.#pending?.[0];
    if (first === undefined || readUint32(bytes, at) !== MARK || readUint32(bytes, at + 4) !== first.number)
      return false;
    this.#pending?.shift();
    if (this.#pending?.length === 0) this.#pending = undefined;
    first.done(this.#options.clock.monotonicMs() - first.sentAtMs);
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const ping of pending) ping.done(-1);
  }

  #probe(): void {
    const { clock, timeoutMs } = this.#options;
    this.#timer = clock.after(timeoutMs, this.#onTimeout);
    this.ping((roundTripMs) => {
      if (roundTripMs < 0) return;
      this.#timer?.cancel();
      this.start();
    });
  }
}
