/**
 * Writes to a TCP socket of node:net by one system call, past the queues and callbacks of its stream, which cost more
 * than the copy into the kernel as long as messages are small.
 *
 * Invariants:
 * - Bytes leave in the order of calls: while the stream has bytes waiting, nothing goes past it.
 * - Nothing is written to a descriptor that the socket gave up: its number may be another connection's by now.
 */
import type { Socket } from 'node:net';
import { hasNativeAddon, type NativeAddon, type NativeRecordKeys, nativeAddon } from './addon.ts';
import { asNodeError } from './from-errno.ts';
import { ContentType } from './record-keys.ts';

/** What node:net keeps under a socket; it lets go of it when the socket closes. */
interface SocketHandle {
  readonly fd?: number;
}

const handleOf = (socket: Socket): SocketHandle | null | undefined =>
  (socket as unknown as { readonly _handle?: SocketHandle | null })._handle;

export class SocketSender {
  readonly #socket: Socket;
  readonly #handle: SocketHandle;
  readonly #fd: number;
  readonly #addon: NativeAddon;

  private constructor(socket: Socket, handle: SocketHandle, fd: number) {
    this.#socket = socket;
    this.#handle = handle;
    this.#fd = fd;
    this.#addon = nativeAddon();
  }

  /** @returns undefined for what is not an open TCP socket (TLS writes records of its own), and without the addon */
  static of(socket: Socket): SocketSender | undefined {
    const handle = handleOf(socket);
    const fd = handle?.fd;
    if (handle == null || fd === undefined || fd < 0 || socket.connecting || 'encrypted' in socket) return undefined;
    return hasNativeAddon() ? new SocketSender(socket, handle, fd) : undefined;
  }

  /**
   * Sends what the kernel takes at once. A socket that is found broken is destroyed with its error.
   * @returns how many bytes were taken; the rest is to be written to the socket
   */
  send(bytes: Uint8Array): number {
    if (!this.#isFree()) return 0;
    const taken = this.#addon.sendNow(this.#fd, bytes);
    if (taken < 0) this.#socket.destroy(asNodeError(taken, 'write'));
    return Math.max(taken, 0);
  }

  /**
   * As `send`, of records with the bytes as application data.
   * @returns what was not taken, to be written to the socket, or undefined
   */
  sendSealed(keys: NativeRecordKeys, bytes: Uint8Array): Buffer | undefined {
    const left = this.#isFree() ? keys.sealAndSend(this.#fd, bytes) : keys.seal(ContentType.APPLICATION_DATA, bytes);
    if (typeof left === 'object') return left;
    if (left !== 0) this.#socket.destroy(left === undefined ? undefined : asNodeError(left, 'write'));
    return undefined;
  }

  #isFree(): boolean {
    const socket = this.#socket;
    return handleOf(socket) === this.#handle && socket.writable && socket.writableLength === 0;
  }
}
