/**
 * One HTTP/2 stream (RFC 9113 5.1): plain method calls both ways, no Node stream behind it.
 *
 * Invariants
 * - The handler's `onClosed` is called exactly once and nothing is called after it.
 * - What `write` could not send at once is copied and bounded by `maxSendBufferBytes`.
 * - Every received byte handed to the handler is given back once: by `consume`, or by `releaseCredit` for the rest.
 *   This also works after the stream closed, so that data still on its way to a slow reader keeps holding credit.
 */
import type { AmbitError } from '../base/errors.ts';
import { ReceiveWindow, SendWindow } from './flow-window.ts';
import { BULK_BYTES, freeChunk, ownCopy } from './free-chunk.ts';
import type { Header } from './header.ts';
import { Http2Code, type Http2ErrorCode } from './http2-error.ts';

/** Data is kept in the memory that it came in while that is at most so many times as large. */
const MAX_MEMORY_RATIO = 4;

/** Why a stream is over. */
export type StreamCloseReason =
  /** Both sides ended it. */
  | { readonly kind: 'normal' }
  /** RST_STREAM, by the peer or by this side. */
  | { readonly kind: 'reset'; readonly by: 'peer' | 'local'; readonly code: number }
  /** The peer's GOAWAY says that it never looked at the stream: the request may be sent again elsewhere. */
  | { readonly kind: 'unprocessed' }
  /** The connection ended under it. */
  | { readonly kind: 'lost'; readonly error: AmbitError<Http2ErrorCode> | undefined };

/** Handles one stream. Calls come one at a time, never from inside a call of the same stream's `write`. */
export interface StreamHandler {
  /** Response headers (client; also interim ones) or trailers. */
  onHeaders(stream: Http2Stream, headers: readonly Header[], endStream: boolean): void;
  /** Whether the memory of data is free to be used again when `onData` returns. */
  readonly borrows?: boolean;
  /** Received data, the handler's to keep unless it borrows; credit goes back with `stream.consume` when the bytes left. */
  onData(stream: Http2Stream, chunk: Buffer): void;
  /** The peer ended its side. */
  onEnd(stream: Http2Stream): void;
  /** The stream is over; exactly once, and the last call. */
  onClosed(stream: Http2Stream, reason: StreamCloseReason): void;
  /** Writing is worth while again after `write` returned false. */
  onWritable(stream: Http2Stream): void;
}

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly maxSendBufferBytes: number;
  /** Whether the transport is behind. */
  readonly outputBlocked: boolean;
  writableBytes(stream: Http2Stream): number;
  sendHeaders(stream: Http2Stream, headers: readonly Header[], endStream: boolean): boolean;
  /**
   * Sends as much of `chunk` from `from` on as windows and output allow.
   * @returns the bytes sent, plus one when `endStream` was asked for and the end went out too
   */
  sendData(stream: Http2Stream, chunk: Uint8Array, from: number, endStream: boolean): number;
  /** Puts the stream into the queue of those that wait for windows or output. */
  enqueue(stream: Http2Stream): void;
  resetStream(stream: Http2Stream, code: number): void;
  returnCredit(stream: Http2Stream, bytes: number): void;
  forget(stream: Http2Stream): void;
}

/** Which halves of a stream are still open. */
export type StreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

/** What the peer may send next on a stream. */
export type InboundPhase = 'headers' | 'body' | 'tunnel' | 'ended';

const NO_BYTES = Buffer.alloc(0);
const NORMAL: StreamCloseReason = { kind: 'normal' };

export class Http2Stream {
  readonly id: number;
  readonly #host: StreamHost;
  #handler: StreamHandler;
  #state: StreamState = 'open';
  #pending: Buffer[] | undefined;
  /** How much of the first pending chunk is sent. */
  #pendingAt = 0;
  #pendingBytes = 0;
  #endQueued = false;
  #wantsWritable = false;
  /** Bytes handed to the handler and not yet given back. */
  #heldBytes = 0;
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  /** Kept by the connection: what may come in next, and what a request announced as content-length (-1: nothing). */
  inbound: InboundPhase = 'headers';
  isConnect = false;
  contentBytesLeft = -1;
  /** Whether response headers were sent (server) or received (client). */
  answered = false;
  /** Kept by the connection: whether the stream stands in its queue of writers. */
  queued = false;
  /** Bytes `write` had accepted and that were never sent, once the stream closed. */
  unsentBytes = 0;
  /** Why the stream closed, once it has. */
  closeReason: StreamCloseReason = NORMAL;

  constructor(id: number, host: StreamHost, handler: StreamHandler, sendBytes: number, receiveBytes: number) {
    this.id = id;
    this.#host = host;
    this.#handler = handler;
    this.sendWindow = new SendWindow(sendBytes);
    this.receiveWindow = new ReceiveWindow(receiveBytes);
  }

  get state(): StreamState {
    return this.#state;
  }

  get handler(): StreamHandler {
    return this.#handler;
  }

  /** Replaces the handler, for example by a relay once a tunnel is accepted. */
  setHandler(handler: StreamHandler): void {
    this.#handler = handler;
  }

  /** Whether this side may still send. */
  get canSend(): boolean {
    return (this.#state === 'open' || this.#state === 'half-closed-remote') && !this.#endQueued;
  }

  /** Bytes `write` would send on without buffering. */
  get writableBytes(): number {
    return this.canSend && this.#pendingBytes === 0 ? this.#host.writableBytes(this) : 0;
  }

  /** Bytes accepted by `write` and not yet framed. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Sends response headers, interim ones (1xx) included. Returns false when the stream is gone or they are invalid. */
  respond(headers: readonly Header[], endStream = false): boolean {
    if (!this.canSend || !this.#host.sendHeaders(this, headers, endStream)) return false;
    this.answered ||= headers[0]?.[1].startsWith('1') === false;
    if (endStream) this.#localEnded();
    return true;
  }

  /** Sends trailers and ends this side. Pending data must have been sent: call it when `pendingBytes` is 0. */
  sendTrailers(headers: readonly Header[]): boolean {
    if (!this.canSend || this.#pendingBytes > 0 || !this.#host.sendHeaders(this, headers, true)) return false;
    this.#localEnded();
    return true;
  }

  /**
   * Sends data; the chunk may be reused when it returns.
   * @returns false when the caller should wait for `onWritable` before it writes more (the chunk was taken all the
   *   same), or when the stream does not take data any more
   */
  write(chunk: Uint8Array): boolean {
    if (!this.canSend) return false;
    if (chunk.length === 0) return this.#pendingBytes === 0;
    const sent = this.#pending === undefined ? this.#host.sendData(this, chunk, 0, false) : 0;
    if (sent < chunk.length) this.#keep(chunk, sent);
    else if (!this.#host.outputBlocked) return true;
    if (!this.canSend) return false;
    this.#wantsWritable = true;
    this.#host.enqueue(this);
    return false;
  }

  /** Sends a last chunk, if given, and ends this side. Calling it again does nothing. */
  end(chunk?: Uint8Array): void {
    if (!this.canSend) return;
    const bytes = chunk ?? NO_BYTES;
    const sent = this.#pending === undefined ? this.#host.sendData(this, bytes, 0, true) : 0;
    if (sent > bytes.length) {
      this.#localEnded();
      return;
    }
    this.#wantsWritable = false;
    if (sent < bytes.length) this.#keep(bytes, sent);
    // Keeping may have found the writer over its bound and reset the stream.
    if (!this.canSend) return;
    this.#endQueued = true;
    this.#host.enqueue(this);
  }

  /** Ends the stream at once with RST_STREAM. */
  reset(code: number = Http2Code.CANCEL): void {
    if (this.#state !== 'closed') this.#host.resetStream(this, code);
  }

  /** Breaks it off, under the name that sockets have for that: the peer does not take it for the end of data. */
  resetAndDestroy(): void {
    this.reset(Http2Code.INTERNAL_ERROR);
  }

  /** Gives flow-control credit back for received bytes that left this process. */
  consume(bytes: number): void {
    const returned = Math.min(bytes, this.#heldBytes);
    if (returned <= 0) return;
    this.#heldBytes -= returned;
    this.#host.returnCredit(this, returned);
  }

  /** Gives back the credit of all received bytes the handler did not account for; for when it drops them. */
  releaseCredit(): void {
    this.consume(this.#heldBytes);
  }

  /** For the connection: `bytes` go to the handler. @returns whether it may keep them */
  deliver(chunk: Buffer): boolean {
    const handler = this.#handler;
    this.#heldBytes += chunk.length;
    // A window counts the bytes of a piece, not the memory that it lies in: a peer may put little into much of that.
    const mayKeep = handler.borrows !== true && chunk.length * MAX_MEMORY_RATIO >= chunk.buffer.byteLength;
    handler.onData(this, mayKeep || handler.borrows === true ? chunk : ownCopy(chunk));
    return mayKeep;
  }

  /** For the connection: whether pending data or the end can be sent when the windows allow it. */
  get hasPending(): boolean {
    return this.#state !== 'closed' && (this.#pending !== undefined || this.#endQueued);
  }

  /** For the connection: sends at most `quantumBytes` of what is pending. Returns whether something is left. */
  sendPending(quantumBytes: number): boolean {
    let budget = quantumBytes;
    while (this.#pending !== undefined && budget > 0) {
      const chunk = this.#pending[0] ?? NO_BYTES;
      const last = this.#endQueued && this.#pending.length === 1;
      const left = chunk.length - this.#pendingAt;
      const sent = this.#host.sendData(this, chunk, this.#pendingAt, last);
      if (last && sent === left + 1) {
        this.#pendingBytes = 0;
        freeChunk(chunk);
        return this.#localEnded();
      }
      this.#pendingBytes -= sent;
      budget -= sent;
      if (sent < left) {
        this.#pendingAt += sent;
        return true;
      }
      this.#pendingAt = 0;
      this.#pending.shift();
      freeChunk(chunk);
      if (this.#pending.length === 0) this.#pending = undefined;
    }
    if (this.#pending !== undefined) return true;
    if (!this.#endQueued || this.#state === 'closed') return false;
    return this.#host.sendData(this, NO_BYTES, 0, true) === 1 ? this.#localEnded() : true;
  }

  /** For the connection: tells the handler that it may write again, if it waits for that. */
  notifyWritable(): void {
    if (!this.#wantsWritable || !this.canSend) return;
    this.#wantsWritable = false;
    this.#handler.onWritable(this);
  }

  /** For the connection: the peer ended its side. */
  remoteEnded(): void {
    if (this.#state === 'closed') return;
    this.inbound = 'ended';
    const both = this.#state === 'half-closed-local';
    if (!both) this.#setState('half-closed-remote');
    this.#handler.onEnd(this);
    if (both) this.close(NORMAL);
  }

  /** For the connection: the request went out with END_STREAM. */
  markLocalEnded(): void {
    this.#setState('half-closed-local');
  }

  /** For the connection: the stream is over. */
  close(reason: StreamCloseReason): void {
    if (this.#state === 'closed') return;
    this.closeReason = reason;
    this.unsentBytes = this.#pendingBytes;
    this.#setState('closed');
    this.#host.forget(this);
    this.#handler.onClosed(this, reason);
  }

  #localEnded(): false {
    if (this.#state === 'half-closed-remote') this.close(NORMAL);
    else if (this.#state === 'open') this.#setState('half-closed-local');
    this.#dropPending();
    return false;
  }

  #setState(state: StreamState): void {
    this.#state = state;
    if (state === 'closed') this.#dropPending();
  }

  #dropPending(): void {
    this.#pending = undefined;
    this.#pendingAt = 0;
    this.#pendingBytes = 0;
    this.#endQueued = false;
    this.#wantsWritable = false;
  }

  #keep(chunk: Uint8Array, from: number): void {
    this.#pendingBytes += chunk.length - from;
    if (this.#pendingBytes > this.#host.maxSendBufferBytes) {
      // The writer ignores back-pressure; holding more would only hide it.
      this.reset(Http2Code.INTERNAL_ERROR);
      return;
    }
    this.#pending ??= [];
    const rest = from === 0 ? chunk : chunk.subarray(from);
    this.#pending.push(rest.length < BULK_BYTES ? Buffer.from(rest) : ownCopy(rest));
  }
}
