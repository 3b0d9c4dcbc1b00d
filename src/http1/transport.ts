/** What an HTTP/1 connection needs of a byte stream: that of HTTP/2 (`http2/transport.ts`), and control over reading. */
import type { Socket } from 'node:net';
import type { SocketIntake } from '../http2/socket-intake.ts';
import { type ByteTransport, type TransportSink, writeSocket } from '../http2/transport.ts';
import { resetSocket } from '../native/reset-socket.ts';
import { SocketSender } from '../native/socket-sender.ts';

export interface PausableTransport extends ByteTransport {
  /** Whether the memory of received chunks is used again when `onData` returns. */
  readonly lendsMemory: boolean;
  /** Stops delivery; nothing is delivered any more when it returns. */
  pause(): void;
  resume(): void;
  /** Closes so that the peer cannot take what it has for complete (TCP RST). */
  abort(): void;
}

class PausableSocket implements PausableTransport {
  readonly #socket: Socket;
  readonly #intake: SocketIntake | undefined;
  readonly #sender: SocketSender | undefined;
  #error: Error | undefined;
  #paused = false;
  readonly lendsMemory: boolean;

  constructor(socket: Socket, intake: SocketIntake | undefined) {
    this.#socket = socket;
    this.#intake = intake;
    this.#sender = SocketSender.of(socket);
    this.lendsMemory = intake !== undefined;
    socket.setNoDelay(true);
  }

  start(sink: TransportSink): void {
    const socket = this.#socket;
    if (this.#intake === undefined) socket.on('data', (chunk: Buffer) => sink.onData(chunk));
    else this.#readInto(this.#intake, sink);
    socket.on('end', () => sink.onEnd());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => sink.onClosed(this.#error));
    if (socket.destroyed) process.nextTick(() => sink.onClosed(this.#error));
  }

  #readInto(intake: SocketIntake, sink: TransportSink): void {
    intake.attach((chunk) => {
      sink.onData(chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      return !this.#paused;
    });
    if (!this.#paused) this.#socket.resume();
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

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  abort(): void {
    // Over TLS the missing close_notify says the same.
    if ('encrypted' in this.#socket) this.#socket.destroy();
    else resetSocket(this.#socket);
  }
}

/**
 * A transport over a connected `net.Socket` or secured `tls.TLSSocket`, with Nagle's algorithm off. The socket should
 * allow half-open: a client may end its side and still wait for the response.
 * @param intake set when the socket was made with an `onread` buffer, which spares an allocation per read
 */
export function pausableTransport(socket: Socket, intake?: SocketIntake): PausableTransport {
  return new PausableSocket(socket, intake);
}
