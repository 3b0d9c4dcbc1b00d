/**
 * Copies between two HTTP/2 streams until both directions ended: what a proxy between two tunnels does.
 *
 * Invariants
 * - Half-close is kept: END_STREAM becomes END_STREAM.
 * - Credit goes back to a sender only for bytes that the other side's stream passed on, so at most a stream window waits.
 * - A reset or lost stream resets the other one; `onDone` is called exactly once, when both are over.
 */
import { Http2Code } from './http2-error.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from './stream.ts';

export interface StreamRelayCounters {
  bytesFromDownstream: number;
  bytesToDownstream: number;
}

/** One direction: what arrives on `from`, whose handler this is, goes to `to`. */
class Direction implements StreamHandler {
  readonly #from: Http2Stream;
  readonly #to: Http2Stream;
  readonly #count: (bytes: number) => void;
  readonly #onClosed: (reason: StreamCloseReason) => void;
  /** Received while `to` takes nothing; at most a stream window. */
  #waiting: Buffer[] = [];
  #blocked = false;
  /** Taken by `to` while it was behind: the credit waits until it is not. */
  #owedBytes = 0;
  #ended = false;
  opposite: Direction | undefined;

  constructor(
    from: Http2Stream,
    to: Http2Stream,
    count: (bytes: number) => void,
    onClosed: (reason: StreamCloseReason) => void,
  ) {
    this.#from = from;
    this.#to = to;
    this.#count = count;
    this.#onClosed = onClosed;
  }

  onHeaders(): void {
    // A tunnel has no trailers; the connection rejects them.
  }

  onData(stream: Http2Stream, chunk: Buffer): void {
    this.#count(chunk.length);
    if (!this.#to.canSend) stream.consume(chunk.length);
    else if (this.#blocked) this.#waiting.push(chunk);
    else this.#send(chunk);
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#waiting.length === 0) this.#to.end();
  }

  /** `from` takes data again, which is what the opposite direction waits for. */
  onWritable(): void {
    this.opposite?.resume();
  }

  onClosed(stream: Http2Stream, reason: StreamCloseReason): void {
    // After a normal end what waits still goes out; otherwise the other stream is reset.
    if (reason.kind !== 'normal') this.#waiting = [];
    stream.releaseCredit();
    this.#onClosed(reason);
  }

  #send(chunk: Buffer): void {
    if (this.#to.write(chunk)) this.#from.consume(chunk.length);
    else {
      this.#blocked = true;
      this.#owedBytes += chunk.length;
    }
  }

  /** For the opposite direction: `to` takes data again. */
  resume(): void {
    this.#blocked = false;
    const owedBytes = this.#owedBytes;
    this.#owedBytes = 0;
    this.#from.consume(owedBytes);
    while (!this.#blocked) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) break;
      this.#send(chunk);
    }
    if (this.#ended && this.#waiting.length === 0) this.#to.end();
  }
}

/**
 * Relays between two streams that are both established; both get new handlers.
 * @param counters counted as bytes move; the caller's to read at any time
 * @param onDone called exactly once, with the reason that was not a normal end, if any
 */
export function relayStreams(
  downstream: Http2Stream,
  upstream: Http2Stream,
  counters: StreamRelayCounters,
  onDone: (reason: StreamCloseReason | undefined) => void,
): void {
  let open = 2;
  let failure: StreamCloseReason | undefined;
  const closed = (other: Http2Stream) => (reason: StreamCloseReason) => {
    open -= 1;
    if (reason.kind !== 'normal') failure ??= reason;
    if (open === 0) onDone(failure);
    else if (reason.kind !== 'normal') other.reset(reason.kind === 'reset' ? reason.code : Http2Code.INTERNAL_ERROR);
  };
  const toUpstream = new Direction(
    downstream,
    upstream,
    (bytes) => {
      counters.bytesFromDownstream += bytes;
    },
    closed(upstream),
  );
  const toDownstream = new Direction(
    upstream,
    downstream,
    (bytes) => {
      counters.bytesToDownstream += bytes;
    },
    closed(downstream),
  );
  toUpstream.opposite = toDownstream;
  toDownstream.opposite = toUpstream;
  downstream.setHandler(toUpstream);
  upstream.setHandler(toDownstream);
  if (downstream.state === 'closed') toUpstream.onClosed(downstream, downstream.closeReason);
  if (upstream.state === 'closed') toDownstream.onClosed(upstream, upstream.closeReason);
}
