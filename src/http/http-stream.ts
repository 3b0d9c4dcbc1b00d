/**
 * One HTTP exchange as the L7 engine sees it, whatever the version on the wire. `Http2Stream` has this shape by itself;
 * the HTTP/1 codec translates.
 *
 * Headers are lower-case latin1 names in order, pseudo-headers first (RFC 9113 8.3): `:method :scheme :authority :path`
 * or `:status`. Fields that concern one connection only (RFC 9110 7.6.1) never appear, but for `upgrade` on an exchange
 * that may turn into a tunnel and `te: trailers`.
 */
import type { AmbitError } from '../base/errors.ts';

/** A header field: name and value, one character per byte (latin1). */
export type HttpHeader = readonly [name: string, value: string];

/** Which halves of an exchange are still open. */
export type HttpStreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

/** Why an exchange is over. Codes are those of RFC 9113 7, also for HTTP/1. */
export type HttpCloseReason =
  /** Both sides ended it. */
  | { readonly kind: 'normal' }
  /** Ended early by the peer or by this side. */
  | { readonly kind: 'reset'; readonly by: 'peer' | 'local'; readonly code: number }
  /** The peer never looked at it: the request may be sent again elsewhere. */
  | { readonly kind: 'unprocessed' }
  /** The connection ended under it; the error's retry class says whether another attempt is safe. */
  | { readonly kind: 'lost'; readonly error: AmbitError | undefined };

/** Handles one exchange. Calls come one at a time, never from inside a call of the same stream's `write`. */
export interface HttpStreamHandler {
  /** Response headers (client; also interim ones) or trailers. */
  onHeaders(stream: HttpStream, headers: readonly HttpHeader[], endStream: boolean): void;
  /** Received data, the handler's to keep; credit goes back with `stream.consume` when the bytes left. */
  onData(stream: HttpStream, chunk: Buffer): void;
  /** The peer ended its side. */
  onEnd(stream: HttpStream): void;
  /** The exchange is over; exactly once, and the last call. */
  onClosed(stream: HttpStream, reason: HttpCloseReason): void;
  /** Writing is worth while again after `write` returned false. */
  onWritable(stream: HttpStream): void;
}

/** One exchange: a request and its responses, or the tunnel it became. */
export interface HttpStream {
  readonly state: HttpStreamState;
  /** Whether this side may still send. */
  readonly canSend: boolean;
  /** Bytes accepted by `write` and not yet framed. */
  readonly pendingBytes: number;
  /** Replaces the handler. */
  setHandler(handler: HttpStreamHandler): void;
  /** Sends response headers, interim ones (1xx) included. Returns false when the stream is gone or they are invalid. */
  respond(headers: readonly HttpHeader[], endStream?: boolean): boolean;
  /** Sends trailers and ends this side; call it when `pendingBytes` is 0. */
  sendTrailers(headers: readonly HttpHeader[]): boolean;
  /**
   * Sends data; the chunk may be reused when it returns.
   * @returns false when the caller should wait for `onWritable` before it writes more (the chunk was taken all the
   *   same), or when the stream does not take data any more
   */
  write(chunk: Uint8Array): boolean;
  /** Sends a last chunk, if given, and ends this side. Calling it again does nothing. */
  end(chunk?: Uint8Array): void;
  /** Ends the exchange at once (code: RFC 9113 7). */
  reset(code?: number): void;
  /** Gives credit back for received bytes that left this process. */
  consume(bytes: number): void;
  /** Gives back the credit of all received bytes the handler did not account for; for when it drops them. */
  releaseCredit(): void;
}
