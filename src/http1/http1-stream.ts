/**
 * One HTTP/1 exchange, or the tunnel it became: `HttpStream` over a connection that frames.
 *
 * Invariants
 * - The handler's `onClosed` is called exactly once and nothing is called after it.
 * - Every received byte handed to the handler is given back once: by `consume`, or by `releaseCredit` for the rest,
 *   also after the exchange is over.
 * - What `write` takes is framed at once, so `pendingBytes` is 0; the connection bounds what it holds for its peer.
 */
import type {
  HttpCloseReason,
  HttpHeader,
  HttpStream,
  HttpStreamHandler,
  HttpStreamState,
} from '../http/http-stream.ts';

/** CANCEL (RFC 9113 7). */
const CANCEL = 0x8;
const NORMAL: HttpCloseReason = { kind: 'normal' };

/** What an exchange asks of its connection. */
export interface ExchangeHost {
  /** Whether the transport is behind. */
  readonly outputBlocked: boolean;
  sendHead(headers: readonly HttpHeader[], endStream: boolean): boolean;
  /** Returns false when the exchange cannot go on: it was reset. */
  sendData(chunk: Uint8Array): boolean;
  sendEnd(): boolean;
  sendTrailers(headers: readonly HttpHeader[]): boolean;
  resetExchange(code: number): void;
  returnCredit(bytes: number): void;
  /** This side ended, the peer's goes on. */
  sideEnded(): void;
  exchangeClosed(): void;
}

export class Http1Stream implements HttpStream {
  readonly #host: ExchangeHost;
  #handler: HttpStreamHandler;
  #state: HttpStreamState = 'open';
  #wantsWritable = false;
  #heldBytes = 0;
  readonly pendingBytes = 0;
  /** Why the exchange is over, once it is. */
  closeReason: HttpCloseReason = NORMAL;

  constructor(host: ExchangeHost, handler: HttpStreamHandler) {
    this.#host = host;
    this.#handler = handler;
  }

  get state(): HttpStreamState {
    return this.#state;
  }

  get handler(): HttpStreamHandler {
    return this.#handler;
  }

  get canSend(): boolean {
    return this.#state === 'open' || this.#state === 'half-closed-remote';
  }

  /** Whether the peer has not ended its side. */
  get canReceive(): boolean {
    return this.#state === 'open' || this.#state === 'half-closed-local';
  }

  setHandler(handler: HttpStreamHandler): void {
    this.#handler = handler;
  }

  respond(headers: readonly HttpHeader[], endStream = false): boolean {
    if (!this.canSend || !this.#host.sendHead(headers, endStream)) return false;
    if (endStream) this.localEnded();
    return true;
  }

  sendTrailers(headers: readonly HttpHeader[]): boolean {
    if (!this.canSend || !this.#host.sendTrailers(headers)) return false;
    this.localEnded();
    return true;
  }

  write(chunk: Uint8Array): boolean {
    if (!this.canSend || !this.#host.sendData(chunk)) return false;
    if (!this.#host.outputBlocked) return true;
    this.#wantsWritable = true;
    return false;
  }

  end(chunk?: Uint8Array): void {
    if (!this.canSend) return;
    if (chunk !== undefined && chunk.length > 0 && !this.#host.sendData(chunk)) return;
    if (this.#host.sendEnd()) this.localEnded();
  }

  reset(code: number = CANCEL): void {
    if (this.#state !== 'closed') this.#host.resetExchange(code);
  }

  consume(bytes: number): void {
    const returned = Math.min(bytes, this.#heldBytes);
    if (returned <= 0) return;
    this.#heldBytes -= returned;
    this.#host.returnCredit(returned);
  }

  releaseCredit(): void {
    this.consume(this.#heldBytes);
  }

  /** For the connection: `chunk` goes to the handler. */
  deliver(chunk: Buffer): void {
    this.#heldBytes += chunk.length;
    this.#handler.onData(this, chunk);
  }

  /** For the connection: response headers or trailers go to the handler. */
  deliverHeaders(headers: readonly HttpHeader[], endStream: boolean): void {
    this.#handler.onHeaders(this, headers, endStream);
  }

  /** For the connection: tells the handler that it may write again, if it waits for that. */
  notifyWritable(): void {
    if (!this.#wantsWritable || !this.canSend) return;
    this.#wantsWritable = false;
    this.#handler.onWritable(this);
  }

  /** For the connection: the peer ended its side. */
  remoteEnded(): void {
    if (!this.canReceive) return;
    const both = this.#state === 'half-closed-local';
    if (!both) this.#state = 'half-closed-remote';
    this.#handler.onEnd(this);
    if (both) this.close(NORMAL);
  }

  /** For the connection: this side ended. */
  localEnded(): void {
    if (this.#state === 'half-closed-remote') this.close(NORMAL);
    else if (this.#state === 'open') {
      this.#state = 'half-closed-local';
      this.#host.sideEnded();
    }
  }

  /** For the connection: the exchange is over. */
  close(reason: HttpCloseReason): void {
    if (this.#state === 'closed') return;
    this.closeReason = reason;
    this.#state = 'closed';
    this.#handler.onClosed(this, reason);
    this.#host.exchangeClosed();
  }
}

function ignore(): void {
  // The handler is set before anything else can happen.
}

/** Stands in until the owner's handler is known. */
export const NO_HANDLER: HttpStreamHandler = {
  onHeaders: ignore,
  onData: ignore,
  onEnd: ignore,
  onClosed: ignore,
  onWritable: ignore,
};
