/**
 * One client's TCP connection to a DNS server (RFC 7766).
 *
 * Invariants:
 * - At most 32 queries are being answered or wait for the client to read their answers; the connection is not read
 *   meanwhile (facts ztunnel-wire 12).
 * - Without a whole query or a delivered answer for 5 s the connection is closed, unless an answer is being looked for;
 *   single bytes keep nothing alive.
 * - Answers go out as they are ready, in any order: clients match them by id.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { DnsFrameReader, frameDnsMessage } from './dns-stream.ts';

/** The answer to a message, now or later; undefined sends nothing. */
export type DnsHandler = (message: Uint8Array) => Buffer | undefined | Promise<Buffer | undefined>;

export interface DnsTcpSessionDeps {
  readonly clock: Clock;
  readonly handle: DnsHandler;
  /** Called once, when the connection is gone. */
  onClose(session: DnsTcpSession): void;
}

export const TCP_IDLE_MS = 5000;
export const MAX_QUEUED_ANSWERS = 32;
/** Queries are short: a name, an OPT and its options. */
export const MAX_QUERY_BYTES = 4096;

export class DnsTcpSession {
  readonly #socket: Socket;
  readonly #deps: DnsTcpSessionDeps;
  readonly #reader = new DnsFrameReader(MAX_QUERY_BYTES);
  readonly #waiting: Uint8Array[] = [];
  #lookups = 0;
  #unread = 0;
  #ended = false;
  #idle: Timer;

  /** Takes the socket over. */
  constructor(socket: Socket, deps: DnsTcpSessionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#idle = deps.clock.after(TCP_IDLE_MS, () => this.#onIdle());
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#idle.cancel();
      this.#waiting.length = 0;
      deps.onClose(this);
    });
    socket.resume();
  }

  /** Ends the connection now. */
  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    const messages = this.#reader.push(chunk);
    if (messages === undefined) return void this.#socket.destroy();
    if (messages.length > 0) this.#touch();
    this.#waiting.push(...messages);
    this.#work();
  }

  /** The client asks no more; it still gets what it asked for. */
  #onEnd(): void {
    this.#ended = true;
    this.#work();
  }

  #work(): void {
    while (this.#waiting.length > 0 && this.#busy < MAX_QUEUED_ANSWERS) {
      const message = this.#waiting.shift();
      if (message !== undefined) this.#answer(message);
    }
    if (this.#waiting.length > 0) this.#socket.pause();
    else if (this.#busy < MAX_QUEUED_ANSWERS && !this.#ended) this.#socket.resume();
    if (this.#ended && this.#busy === 0 && this.#waiting.length === 0) this.#socket.end();
  }

  get #busy(): number {
    return this.#lookups + this.#unread;
  }

  #answer(message: Uint8Array): void {
    const reply = this.#deps.handle(message);
    if (!(reply instanceof Promise)) return this.#send(reply);
    this.#lookups++;
    reply.then(
      (bytes) => {
        this.#lookups--;
        this.#send(bytes);
        this.#work();
      },
      () => this.#socket.destroy(),
    );
  }

  #send(reply: Buffer | undefined): void {
    if (reply === undefined || !this.#socket.writable) return;
    this.#unread++;
    this.#socket.write(frameDnsMessage(reply), () => {
      this.#unread--;
      if (this.#socket.destroyed) return;
      this.#touch();
      this.#work();
    });
  }

  #touch(): void {
    this.#idle.cancel();
    this.#idle = this.#deps.clock.after(TCP_IDLE_MS, () => this.#onIdle());
  }

  #onIdle(): void {
    if (this.#lookups > 0) this.#touch();
    else this.#socket.destroy();
  }
}
