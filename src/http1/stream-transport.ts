/** An HTTP/2 stream as the byte stream under another HTTP connection: HTTP inside a tunnel. */
import { AmbitError } from '../base/errors.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from '../http2/stream.ts';
import type { TransportSink } from '../http2/transport.ts';
import type { PausableTransport } from './transport.ts';

class StreamTransport implements PausableTransport, StreamHandler {
  readonly lendsMemory = false;
  readonly #stream: Http2Stream;
  #sink: TransportSink | undefined;
  #paused = false;
  /** Received while paused; at most a stream window. */
  #waiting: Buffer[];
  #ended = false;
  #onWritten: (() => void) | undefined;

  constructor(stream: Http2Stream, early: readonly Buffer[], ended: boolean) {
    this.#stream = stream;
    this.#waiting = [...early];
    this.#ended = ended;
    stream.setHandler(this);
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    // After the connection that is being made has been told of nothing yet.
    queueMicrotask(() => {
      this.#flush();
      if (this.#stream.state === 'closed') this.onClosed(this.#stream, this.#stream.closeReason);
    });
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    if (this.#stream.write(bytes) || !this.#stream.canSend) return true;
    this.#onWritten = onWritten;
    return false;
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.reset(Http2Code.CANCEL);
  }

  abort(): void {
    this.#stream.reset(Http2Code.INTERNAL_ERROR);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => this.#flush());
  }

  onHeaders(): void {
    // A tunnel has no trailers; the connection rejects them.
  }

  onData(_stream: Http2Stream, chunk: Buffer): void {
    this.#waiting.push(chunk);
    if (this.#sink !== undefined) this.#flush();
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#sink !== undefined) this.#flush();
  }

  onWritable(): void {
    const onWritten = this.#onWritten;
    this.#onWritten = undefined;
    onWritten?.();
  }

  onClosed(stream: Http2Stream, reason: StreamCloseReason): void {
    stream.releaseCredit();
    const sink = this.#sink;
    if (sink === undefined) return;
    if (reason.kind === 'normal') this.#flush();
    this.#sink = undefined;
    sink.onClosed(reason.kind === 'normal' ? undefined : closedError(reason));
  }

  #flush(): void {
    while (!this.#paused && this.#sink !== undefined) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) break;
      const { length } = chunk;
      this.#sink.onData(chunk);
      this.#stream.consume(length);
    }
    if (!this.#ended || this.#waiting.length > 0 || this.#sink === undefined) return;
    this.#ended = false;
    this.#sink.onEnd();
  }
}

function closedError(reason: StreamCloseReason): AmbitError {
  const text = reason.kind === 'reset' ? `reset with code ${reason.code}` : 'lost with its connection';
  return new AmbitError('TUNNEL_CLOSED', `the tunnel was ${text}`, { side: 'upstream' });
}

/**
 * A transport over an established stream, which gets a new handler.
 * @param early what was taken from the stream before, to be delivered first; its credit is still owed
 * @param ended whether the peer had ended its side by then
 */
export function streamTransport(stream: Http2Stream, early: readonly Buffer[] = [], ended = false): PausableTransport {
  return new StreamTransport(stream, early, ended);
}
