/**
 * Copies between two TCP sockets until both directions ended; half-close is kept.
 *
 * Invariants:
 * - Reading one side pauses while the other does not take more.
 * - `onDone` is called exactly once, when both sockets are closed.
 */
import type { Socket } from 'node:net';
import { resetSocket } from '../native/reset-socket.ts';
import { isOrdinaryEnd } from './from-node-error.ts';

/** Counted as bytes move: from and to the downstream socket. */
export interface SocketRelayCounters {
  bytesFromSocket: number;
  bytesToSocket: number;
}

/**
 * @param downstream the client's connection
 * @param upstream the connection to the destination
 * @param onDone gets the first error that is not an ordinary end
 */
export function relaySockets(
  downstream: Socket,
  upstream: Socket,
  counters: SocketRelayCounters,
  onDone: (error: Error | undefined) => void,
): void {
  let open = 2;
  let firstError: Error | undefined;
  const closed = () => {
    open--;
    if (open === 0) onDone(firstError);
  };
  const failed = (error: Error) => {
    if (!isOrdinaryEnd(error)) firstError ??= error;
  };
  for (const [socket, other] of [
    [downstream, upstream],
    [upstream, downstream],
  ] as const) {
    socket.on('error', failed);
    socket.on('close', (hadError: boolean) => {
      // A socket that closed cleanly let its data go out; one that failed takes the other side down with it.
      // A connection that was lost must not look like one that ended: half an answer would pass for a whole one.
      if (hadError || socket.errored) resetSocket(other);
      else if (!other.destroyed) other.destroySoon();
      closed();
    });
    socket.on('end', () => other.end());
    socket.on('drain', () => other.resume());
    if (socket.closed) queueMicrotask(() => socket.emit('close', true));
    // An end that came before there was anywhere to pass it on to.
    else if (socket.readableEnded) other.end();
  }
  downstream.on('data', (chunk: Buffer) => {
    counters.bytesFromSocket += chunk.length;
    if (!upstream.write(chunk)) downstream.pause();
  });
  upstream.on('data', (chunk: Buffer) => {
    counters.bytesToSocket += chunk.length;
    if (!downstream.write(chunk)) upstream.pause();
  });
}
