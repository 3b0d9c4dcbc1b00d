/** What an HTTP/2 connection needs of a byte stream, and the adapter for sockets of node:net and node:tls. */
import type { Socket } from 'node:net';

/** Told what happens on a transport. */
export interface TransportSink {
  /** Bytes arrived. The memory is the sink's from now on, also to free: the transport never touches it again. */
  onData(chunk: Buffer): void;
  /** The peer ended its side. */
  onEnd(): void;
  /** Nothing more happens; exactly once. */
  onClosed(error: Error | undefined): void;
}

export interface ByteTransport {
  /** Starts delivery to `sink`; called once. */
  start(sink: TransportSink): void;
  /**
   * Sends bytes; `onWritten` is called when they were taken over and their memory may be used again, not before
   * `write` returned. The connection writes again only after that.
   */
  write(bytes: Uint8Array, onWritten: () => void): void;
  /** Ends this side once everything written went out. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

class SocketTransport implements ByteTransport {
  readonly #socket: Socket;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  start(sink: TransportSink): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => sink.onData(chunk));
    socket.on('end', () => sink.onEnd());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => sink.onClosed(this.#error));
    if (socket.destroyed) process.nextTick(() => sink.onClosed(this.#error));
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    this.#socket.write(bytes, onWritten);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** A transport over a connected `net.Socket` or secured `tls.TLSSocket`, with Nagle's algorithm off. */
export function socketTransport(socket: Socket): ByteTransport {
  return new SocketTransport(socket);
}
