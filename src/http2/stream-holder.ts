/**
 * Holds what arrives on a stream until its real handler is known: a server keeps a tunnel's first bytes while it checks
 * policy and connects. No credit goes back meanwhile, so at most a stream window is held.
 */
import type { Header } from './header.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from './stream.ts';

export class StreamHolder implements StreamHandler {
  #chunks: Buffer[] = [];
  #ended = false;
  readonly #onClosed: (reason: StreamCloseReason) => void;

  /** @param onClosed called when the stream is over before it was handed on: stop the work for it */
  constructor(onClosed: (reason: StreamCloseReason) => void) {
    this.#onClosed = onClosed;
  }

  /** Whether the peer already ended its side. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Hands the held events to the stream's new handler (set before the call, by `relay` for example). */
  release(stream: Http2Stream): void {
    const { handler } = stream;
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) handler.onData(stream, chunk);
    if (this.#ended) handler.onEnd(stream);
  }

  onHeaders(_stream: Http2Stream, _headers: readonly Header[]): void {
    // Trailers before the handler is known: of no use to any of them.
  }

  onData(_stream: Http2Stream, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onEnd(): void {
    this.#ended = true;
  }

  onClosed(stream: Http2Stream, reason: StreamCloseReason): void {
    this.#chunks = [];
    stream.releaseCredit();
    this.#onClosed(reason);
  }

  onWritable(): void {
    // Nothing is written before the handler is known.
  }
}
