/**
 * Copies between two HTTP/2 streams until both directions ended: what a proxy between two tunnels does.
 *
 * Invariants
 * - Half-close is kept: END_STREAM becomes END_STREAM.
 * - Credit goes back to a sender only for bytes that the other side's stream passed on (`http/stream-pipe.ts`).
 * - A reset or lost stream resets the other one; `onDone` is called exactly once, when both are over.
 */
import { StreamPipe } from '../http/stream-pipe.ts';
import { Http2Code } from './http2-error.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from './stream.ts';

/** As a relay of a socket counts them, the upstream being the socket. */
export interface StreamRelayCounters {
  bytesFromSocket: number;
  bytesToSocket: number;
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
  const [up, down] = [new StreamPipe(), new StreamPipe()];
  up.connect(downstream, upstream);
  down.connect(upstream, downstream);
  let open = 2;
  let failure: StreamCloseReason | undefined;
  const side = (
    own: StreamPipe,
    opposite: StreamPipe,
    to: Http2Stream,
    count: (bytes: number) => void,
  ): StreamHandler => ({
    onHeaders: () => undefined,
    onData: (_stream, chunk) => {
      count(chunk.length);
      own.data(chunk);
    },
    onEnd: () => own.end(),
    onWritable: () => opposite.resume(),
    onClosed: (stream, reason) => {
      stream.releaseCredit();
      open -= 1;
      if (reason.kind !== 'normal') failure ??= reason;
      if (open === 0) onDone(failure);
      else if (reason.kind !== 'normal') to.reset(reason.kind === 'reset' ? reason.code : Http2Code.INTERNAL_ERROR);
    },
  });
  const fromDownstream = side(up, down, upstream, (bytes) => {
    counters.bytesToSocket += bytes;
  });
  const fromUpstream = side(down, up, downstream, (bytes) => {
    counters.bytesFromSocket += bytes;
  });
  downstream.setHandler(fromDownstream);
  upstream.setHandler(fromUpstream);
  if (downstream.state === 'closed') fromDownstream.onClosed(downstream, downstream.closeReason);
  if (upstream.state === 'closed') fromUpstream.onClosed(upstream, upstream.closeReason);
}
