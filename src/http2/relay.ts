/**
 * Copies between a plain socket and an HTTP/2 stream until both directions ended (facts ztunnel-wire 7.7).
 *
 * Invariants
 * - Half-close is kept: FIN becomes END_STREAM and the other way round. The socket must allow half-open.
 * - Credit goes back to the peer only for bytes the kernel took from the socket's queue; reading pauses while the
 *   stream does not take more. So at most a stream window waits on one side and one read on the other.
 * - What is borrowed is sent or copied before `onData` returns; a piece that waits is freed once the kernel took it, when
 *   no other can lie in the same memory.
 * - A socket that failed, or a stream that was broken off, never reads as the end of data at the other end.
 * - `onDone` is called exactly once, when the socket is closed and the stream is over.
 */
import type { Socket } from 'node:net';
import { AmbitError } from '../base/errors.ts';
import { resetSocket } from '../native/reset-socket.ts';
import { SocketSender } from '../native/socket-sender.ts';
import { isOrdinaryEnd } from '../net/from-node-error.ts';
import { BULK_BYTES, freeChunk, ownCopy } from './free-chunk.ts';
import type { Header } from './header.ts';
import { Http2Code } from './http2-error.ts';
import type { SocketIntake } from './socket-intake.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from './stream.ts';

export interface RelayCounters {
  bytesFromSocket: number;
  bytesToSocket: number;
}

export type RelayErrorCode = 'RELAY_DESTINATION_DISCONNECTED' | 'RELAY_CLIENT_DISCONNECTED' | 'RELAY_FAILED';

/** Called when a relay is over; without an error it ended as connections do. */
export type RelayDone = (error: AmbitError<RelayErrorCode> | undefined) => void;

export interface RelayOptions {
  /** Who is at the socket's end: the client (a source's proxy) or the destination (a destination's proxy). */
  readonly socketSide: 'client' | 'destination';
  /** Set when the socket was made with an `onread` buffer. */
  readonly intake?: SocketIntake;
}

/** Pieces gathered in one turn go out from this size on, while the processor's cache still has them. */
const GATHER_BYTES = 131_072;
const NO_BYTES = Buffer.alloc(0);

class Relay implements StreamHandler {
  readonly #socket: Socket;
  readonly #stream: Http2Stream;
  readonly #counters: RelayCounters;
  readonly #options: RelayOptions;
  readonly #onDone: RelayDone;
  /** Received pieces the socket has not passed to the kernel yet, in the order of writing, and their sum. */
  readonly #owed: Buffer[] = [];
  #owedBytes = 0;
  /** Set while the relay runs, where there is a way past the queue of the socket. */
  #sender: SocketSender | undefined;
  #flushPending = false;
  #corked = false;
  #socketClosed = false;
  #error: AmbitError<RelayErrorCode> | undefined;

  constructor(socket: Socket, stream: Http2Stream, counters: RelayCounters, onDone: RelayDone, options: RelayOptions) {
    this.#socket = socket;
    this.#stream = stream;
    this.#counters = counters;
    this.#options = options;
    this.#onDone = onDone;
  }

  start(): void {
    const socket = this.#socket;
    this.#sender = SocketSender.of(socket);
    socket.on('error', (error) => this.#socketFailed(error));
    socket.on('close', () => this.#onSocketClose());
    socket.on('end', () => this.#stream.end());
    this.#stream.setHandler(this);
    if (socket.destroyed) this.#onSocketClose();
    else if (this.#stream.state === 'closed') socket.destroy();
    else this.#read();
  }

  #read(): void {
    const { intake } = this.#options;
    const socket = this.#socket;
    if (intake !== undefined) {
      const resume = intake.holds;
      intake.attach((chunk) => this.#fromSocket(chunk));
      if (resume) socket.resume();
    } else if (!socket.readableEnded) {
      socket.on('data', (chunk: Buffer) => {
        if (!this.#fromSocket(chunk)) socket.pause();
      });
    }
    // What was read before the end came, if anything, went out above.
    if (socket.readableEnded) this.#stream.end();
  }

  #fromSocket(chunk: Uint8Array): boolean {
    this.#counters.bytesFromSocket += chunk.length;
    return this.#stream.write(chunk);
  }

  onWritable(): void {
    this.#socket.resume();
  }

  onHeaders(_stream: Http2Stream, _headers: readonly Header[]): void {
    // A tunnel has no trailers; the connection rejects them.
  }

  get borrows(): boolean {
    return this.#sender !== undefined;
  }

  onData(stream: Http2Stream, chunk: Buffer): void {
    const socket = this.#socket;
    this.#counters.bytesToSocket += chunk.length;
    if (!socket.writable) {
      stream.consume(chunk.length);
      return;
    }
    if (this.#sender === undefined) {
      if (chunk.length >= BULK_BYTES && !this.#corked) this.#cork();
      return this.#queue(stream, chunk, 0);
    }
    const sent = this.#sender.send(chunk);
    if (sent === chunk.length) stream.consume(sent);
    else this.#queue(stream, ownCopy(chunk.subarray(sent)), sent);
  }

  /** What the kernel does not take at once. @param sentBytes of the same piece that it took */
  #queue(stream: Http2Stream, chunk: Buffer, sentBytes: number): void {
    const socket = this.#socket;
    if (sentBytes > 0) stream.consume(sentBytes);
    socket.write(chunk);
    if (socket.writableLength === 0) {
      stream.consume(chunk.length);
      return;
    }
    this.#owed.push(chunk);
    this.#owedBytes += chunk.length;
    if (!this.#corked) {
      this.#awaitFlush();
    } else if (this.#owedBytes >= GATHER_BYTES) {
      socket.uncork();
      this.#settle();
      socket.cork();
    }
  }

  /** Large pieces (a TLS record each) go to the kernel several at a time; a turn's last ones after its poll phase. */
  #cork(): void {
    this.#corked = true;
    this.#socket.cork();
    setImmediate(() => {
      this.#corked = false;
      this.#socket.uncork();
      this.#settle();
    });
  }

  /**
   * Gives back credit and memory of the pieces the kernel took. The socket writes in order and counts a piece as waiting
   * until all of it is written.
   */
  #settle(): void {
    const waiting = this.#socket.writableLength;
    let taken = 0;
    let takenBytes = 0;
    for (const piece of this.#owed) {
      const { length } = piece;
      if (this.#owedBytes - takenBytes - length < waiting) break;
      taken += 1;
      takenBytes += length;
      freeChunk(piece);
    }
    if (taken > 0) {
      this.#owed.splice(0, taken);
      this.#owedBytes -= takenBytes;
      this.#stream.consume(takenBytes);
    }
    if (this.#owedBytes > 0 && this.#socket.writable) this.#awaitFlush();
  }

  /** An empty write behind the queued ones tells when the kernel took them, at no cost while it takes them at once. */
  #awaitFlush(): void {
    if (this.#flushPending) return;
    this.#flushPending = true;
    this.#socket.write(NO_BYTES, () => {
      this.#flushPending = false;
      this.#settle();
    });
  }

  onEnd(): void {
    this.#socket.end();
  }

  onClosed(stream: Http2Stream, reason: StreamCloseReason): void {
    if (this.#socketClosed) this.#finish();
    else this.#judge(stream, reason);
  }

  /** What the end of the stream means for the socket. */
  #judge(stream: Http2Stream, reason: StreamCloseReason): void {
    if (reason.kind === 'normal') return;
    const code = reason.kind === 'reset' ? reason.code : Http2Code.INTERNAL_ERROR;
    if (code === Http2Code.NO_ERROR || code === Http2Code.CANCEL) {
      // Reads as the end of the peer's data; what was received still goes out.
      this.#socket.destroySoon();
      return;
    }
    if (stream.unsentBytes > 0) {
      this.#error ??= disconnected(this.#options.socketSide === 'client' ? 'destination' : 'client');
    }
    // A lost tunnel must not look like a clean end: half an answer would pass for a whole one.
    resetSocket(this.#socket);
  }

  #socketFailed(error: Error): void {
    if (isOrdinaryEnd(error)) return;
    const { socketSide } = this.#options;
    this.#error ??= new AmbitError('RELAY_FAILED', `connection to the ${socketSide} failed: ${error.message}`, {
      side: socketSide === 'client' ? 'downstream' : 'upstream',
      cause: error,
    });
  }

  #onSocketClose(): void {
    if (this.#socketClosed) return;
    this.#socketClosed = true;
    const socket = this.#socket;
    const stream = this.#stream;
    if (stream.state === 'closed') {
      this.#finish();
    } else if (socket.readableEnded && socket.writableFinished) {
      // Both directions ended in order; what the socket sent may still be on its way to the stream's peer.
      stream.releaseCredit();
    } else {
      if (this.#owedBytes > 0 && socket.errored === null) this.#error ??= disconnected(this.#options.socketSide);
      // What CANCEL says reads as the end of data (RFC 9113 8.5): half an answer would pass for a whole one.
      stream.reset(socket.errored === null ? Http2Code.CANCEL : Http2Code.CONNECT_ERROR);
    }
  }

  #finish(): void {
    this.#stream.releaseCredit();
    this.#onDone(this.#error);
  }
}

function disconnected(side: 'client' | 'destination'): AmbitError<RelayErrorCode> {
  return side === 'client'
    ? new AmbitError('RELAY_CLIENT_DISCONNECTED', 'client disconnected before all data was written', {
        side: 'downstream',
      })
    : new AmbitError('RELAY_DESTINATION_DISCONNECTED', 'destination disconnected before all data was written', {
        side: 'upstream',
      });
}

/**
 * Relays between a connected socket (half-open allowed) and a stream, which gets a new handler.
 * @param counters counted as bytes move; the caller's to read at any time
 * @param onDone called exactly once, when both sides are over
 */
export function relay(
  socket: Socket,
  stream: Http2Stream,
  counters: RelayCounters,
  onDone: RelayDone,
  options: RelayOptions,
): void {
  new Relay(socket, stream, counters, onDone, options).start();
}
