/**
 * AF_UNIX SOCK_SEQPACKET connections that carry packets of up to 1024 bytes with at most one descriptor each
 * (facts ztunnel-wire 3.1).
 *
 * Invariants:
 * - descriptors of a received packet belong to the receiver, who closes them;
 * - a descriptor given to `send` is only lent: the kernel duplicates it;
 * - `onEnd` is called exactly once, whoever ended the connection.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { AmbitError, systemErrorCode } from '../base/errors.ts';
import { type FdWatch, nativeAddon, type SeqpacketMessage } from './addon.ts';
import { fromErrno, isWouldBlock } from './from-errno.ts';
import { watchFd } from './watch-fd.ts';

const READABLE = 1;
const WRITABLE = 2;
const BACKLOG = 16;
/** Packets handled per wake-up, so that a busy peer cannot hold the thread. */
const MAX_BATCH = 16;
/** How long accepting rests after an error that would repeat at once. */
const REST_MS = 1000;

/** The largest packet either side can receive. */
export const MAX_PACKET_BYTES = 1024;

export interface SeqpacketHandlers {
  readonly onPacket: (message: SeqpacketMessage) => void;
  /** The connection is over: without an error when either side closed it. */
  readonly onEnd: (error: Error | undefined) => void;
}

/** One connection. Handlers are called from `start()` on. */
export class SeqpacketConnection {
  readonly #fd: number;
  readonly #watch: FdWatch;
  #handlers: SeqpacketHandlers | undefined;
  #sendWaiters: (() => void)[] = [];
  #closed = false;

  /** @param fd a connected descriptor, which the connection owns from now on */
  constructor(fd: number) {
    this.#fd = fd;
    this.#watch = watchFd(fd, (event) => this.#onEvent(event));
  }

  /**
   * Connects to a server.
   * @throws AmbitError NATIVE_PEER_GONE when nobody listens on `path`
   */
  static connect(path: string): SeqpacketConnection {
    const fd = nativeAddon().seqpacketConnect(path);
    if (fd < 0) throw fromErrno(fd, path);
    return new SeqpacketConnection(fd);
  }

  get closed(): boolean {
    return this.#closed;
  }

  start(handlers: SeqpacketHandlers): void {
    this.#handlers = handlers;
    this.#rearm();
  }

  /**
   * Sends one packet, waiting while the peer's queue is full.
   * @param fd a descriptor to pass along
   * @throws AmbitError NATIVE_TRUNCATED for an empty packet (it would read as the end) or one that is too long
   */
  async send(bytes: Uint8Array, fd?: number): Promise<void> {
    if (bytes.length === 0 || bytes.length > MAX_PACKET_BYTES) {
      throw new AmbitError('NATIVE_TRUNCATED', `a packet has 1 to ${MAX_PACKET_BYTES} bytes, this one ${bytes.length}`);
    }
    for (;;) {
      if (this.#closed) throw new AmbitError('NATIVE_PEER_GONE', 'the connection is closed');
      const result = nativeAddon().seqpacketSend(this.#fd, bytes, fd ?? -1);
      if (result === 0) return;
      if (!isWouldBlock(result)) throw fromErrno(result, 'packet');
      await new Promise<void>((resolve) => {
        this.#sendWaiters.push(resolve);
        this.#rearm();
      });
    }
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    this.#wakeSenders();
    this.#handlers?.onEnd(error);
  }

  #rearm(): void {
    if (this.#closed) return;
    const mask = (this.#handlers === undefined ? 0 : READABLE) | (this.#sendWaiters.length > 0 ? WRITABLE : 0);
    const result = this.#watch.watch(mask);
    if (result < 0) this.close(fromErrno(result, 'connection'));
  }

  #wakeSenders(): void {
    const waiters = this.#sendWaiters;
    this.#sendWaiters = [];
    for (const wake of waiters) wake();
  }

  #onEvent(event: number): void {
    if (this.#closed) return;
    if (event < 0) {
      this.close(fromErrno(event, 'connection'));
      return;
    }
    if ((event & WRITABLE) !== 0) {
      this.#wakeSenders();
      this.#rearm();
    }
    if ((event & READABLE) !== 0) this.#receive();
  }

  #receive(): void {
    for (let count = 0; count < MAX_BATCH && !this.#closed; count++) {
      const message = nativeAddon().seqpacketReceive(this.#fd);
      if (typeof message === 'number') {
        if (!isWouldBlock(message)) this.close(fromErrno(message, 'packet'));
        return;
      }
      if (message.bytes.length === 0) {
        for (const fd of message.fds) nativeAddon().closeFd(fd);
        this.close();
        return;
      }
      this.#handlers?.onPacket(message);
    }
  }
}

/** Listens on a path and hands out connections. */
export class SeqpacketServer {
  readonly #fd: number;
  readonly #path: string;
  readonly #watch: FdWatch;
  #closed = false;

  /**
   * Listens, after removing a stale socket file.
   * @throws AmbitError NATIVE_*
   */
  constructor(path: string, onConnection: (connection: SeqpacketConnection) => void) {
    removeSocketFile(path);
    const fd = nativeAddon().seqpacketListen(path, BACKLOG);
    if (fd < 0) throw fromErrno(fd, path);
    this.#fd = fd;
    this.#path = path;
    try {
      this.#watch = watchFd(fd, () => this.#accept(onConnection));
    } catch (error) {
      removeSocketFile(path);
      throw error;
    }
    try {
      this.resume();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #accept(onConnection: (connection: SeqpacketConnection) => void): void {
    const accepted = nativeAddon().acceptOne(this.#fd);
    if (accepted < 0) {
      if (!isWouldBlock(accepted)) this.#rest();
      return;
    }
    const connection = connectionOf(accepted);
    if (connection === undefined) this.#rest();
    else onConnection(connection);
  }

  /** Leaves connections in the backlog until `resume()`. */
  pause(): void {
    if (!this.#closed) this.#watch.watch(0);
  }

  resume(): void {
    if (this.#closed) return;
    const result = this.#watch.watch(READABLE);
    if (result < 0) throw fromErrno(result, this.#path);
  }

  /** Out of descriptors or memory: the listener would be readable for ever. */
  #rest(): void {
    this.pause();
    systemClock.after(REST_MS, () => this.resume());
  }

  /** Stops listening and removes the socket file. Connections live on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    removeSocketFile(this.#path);
  }
}

/** Undefined, and the descriptor closed, where the event loop has no room for another. */
function connectionOf(fd: number): SeqpacketConnection | undefined {
  try {
    return new SeqpacketConnection(fd);
  } catch {
    return undefined;
  }
}

/** Removes a socket file if there is one; anything else at the path is left alone, so that bind fails with its name. */
function removeSocketFile(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
