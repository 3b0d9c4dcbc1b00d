/** An HTTP/2 stream as a Node Duplex, for TLS inside a tunnel (double HBONE). Not for hot paths. */
import { Duplex } from 'node:stream';
import { AmbitError } from '../base/errors.ts';
import type { Header } from './header.ts';
import { Http2Code, http2CodeName } from './http2-error.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from './stream.ts';

/** Why the duplex failed: its stream was reset or its connection lost. */
export type StreamDuplexErrorCode = 'HTTP2_STREAM_CLOSED';

const NO_BYTES = Buffer.alloc(0);
const PIECE_BYTES = 65_536;

class StreamDuplex extends Duplex implements StreamHandler {
  readonly #stream: Http2Stream;
  #writeDone: ((error?: Error | null) => void) | undefined;
  #unwritten: Buffer = NO_BYTES;
  #unreadBytes = 0;

  constructor(stream: Http2Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    stream.setHandler(this);
    if (stream.state === 'closed') this.onClosed(stream, stream.closeReason);
  }

  override _read(): void {
    // Node asks for more: what was pushed before has left its buffer.
    const bytes = this.#unreadBytes;
    this.#unreadBytes = 0;
    this.#stream.consume(bytes);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writeDone = done;
    this.#unwritten = chunk;
    this.#writeMore();
  }

  /** Writes in pieces that respect the stream's back-pressure. */
  #writeMore(): void {
    const stream = this.#stream;
    while (this.#unwritten.length > 0) {
      if (!stream.canSend) {
        this.#finishWrite(closedError('the tunnel takes no more data'));
        return;
      }
      const piece = this.#unwritten.subarray(0, PIECE_BYTES);
      this.#unwritten = this.#unwritten.subarray(piece.length);
      // Without room the rest waits for onWritable; a stream that closed in the call has finished the write.
      if (!stream.write(piece)) return;
    }
    this.#finishWrite(null);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.reset(Http2Code.CANCEL);
    this.#stream.releaseCredit();
    this.#finishWrite(error);
    done(error);
  }

  resetAndDestroy(): void {
    this.#stream.resetAndDestroy();
    this.destroy();
  }

  onHeaders(_stream: Http2Stream, _headers: readonly Header[]): void {
    // A tunnel has no trailers.
  }

  onData(stream: Http2Stream, chunk: Buffer): void {
    if (this.destroyed) {
      stream.consume(chunk.length);
      return;
    }
    if (this.push(chunk)) stream.consume(chunk.length);
    else this.#unreadBytes += chunk.length;
  }

  onEnd(): void {
    this.push(null);
  }

  onWritable(): void {
    this.#writeMore();
  }

  onClosed(_stream: Http2Stream, reason: StreamCloseReason): void {
    if (reason.kind === 'normal') return;
    const readsAsEnd =
      reason.kind === 'reset' && (reason.code === Http2Code.NO_ERROR || reason.code === Http2Code.CANCEL);
    const error = closedError(reason.kind === 'reset' ? `it was reset (${http2CodeName(reason.code)})` : reason.kind);
    this.#finishWrite(error);
    if (readsAsEnd) this.push(null);
    else this.destroy(error);
  }

  #finishWrite(error: Error | null): void {
    const done = this.#writeDone;
    this.#writeDone = undefined;
    this.#unwritten = NO_BYTES;
    done?.(error);
  }
}

function closedError(detail: string): AmbitError<StreamDuplexErrorCode> {
  return new AmbitError('HTTP2_STREAM_CLOSED', `HTTP/2 stream is over: ${detail}`, { side: 'upstream' });
}

/** A Duplex over `stream`, which gets a new handler. Destroying it resets the stream with CANCEL, breaking it off with INTERNAL_ERROR. */
export function streamDuplex(stream: Http2Stream): Duplex & { resetAndDestroy(): void } {
  return new StreamDuplex(stream);
}
