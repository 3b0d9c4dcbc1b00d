/** What an HTTP/2 connection needs of a byte stream, and the adapter for sockets of node:net and node:tls. */
import type { Socket } from 'node:net';
import { SocketSender } from '../native/socket-sender.ts';
import { freeChunk } from './free-chunk.ts';

/** Told what happens on a transport. */
export interface TransportSink {
  /** Bytes arrived. The memory is the sink's from now on, also to free, unless it says by `keepsLast` that it is done with it. */
  onData(chunk: Buffer): void;
  /** Whether something still refers to the memory of the last chunk; where it is not told, something does. */
  keepsLast?(): boolean;
  /** The peer ended its side. */
  onEnd(): void;
  /** Nothing more happens; exactly once. */
  onClosed(error: Error | undefined): void;
}

export interface ByteTransport {
  /** Starts delivery to `sink`; called once. */
  start(sink: TransportSink): void;
  /**
   * Sends bytes. The connection writes again only after they were taken over, and their memory may be used again.
   * @returns true when that is so at once; else `onWritten` is called, not before `write` returned
   */
  write(bytes: Uint8Array, onWritten: () => void): boolean;
  /** Ends this side once everything written went out. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

class SocketTransport implements ByteTransport {
  readonly #socket: Socket;
  readonly #sender: SocketSender | undefined;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#sender = SocketSender.of(socket);
    socket.setNoDelay(true);
  }

  start(sink: TransportSink): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      sink.onData(chunk);
      if (sink.keepsLast?.() === false) freeChunk(chunk);
    });
    socket.on('end', () => sink.onEnd());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => sink.onClosed(this.#error));
    if (socket.destroyed) process.nextTick(() => sink.onClosed(this.#error ?? socket.errored ?? undefined));
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    return writeSocket(this.#socket, this.#sender, bytes, onWritten);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** As `ByteTransport.write`, to a socket. @param sender undefined: only the stream takes bytes */
export function writeSocket(
  socket: Socket,
  sender: SocketSender | undefined,
  bytes: Uint8Array,
  onWritten: () => void,
): boolean {
  const taken = sender?.send(bytes) ?? 0;
  if (taken === bytes.length) return true;
  socket.write(taken === 0 ? bytes : bytes.subarray(taken), onWritten);
  return false;
}

/** A transport over a connected `net.Socket` or secured `tls.TLSSocket`, with Nagle's algorithm off. */
export function socketTransport(socket: Socket): ByteTransport {
  return new SocketTransport(socket);
}
