/** An accepted connection as a paused socket whose errors wait for whoever takes it over. */
import type { Socket } from 'node:net';
import type { SocketIntake } from '../http2/socket-intake.ts';
import type { InboundConnection } from '../net/inbound-connection.ts';

/**
 * Opens the connection; a peer that resets it while nobody listens must not end the process.
 * @param intake where reads go when the socket will be copied into a stream
 */
export function openQuietly(connection: InboundConnection, intake?: SocketIntake): Socket {
  const socket = connection.open(intake?.onread);
  if (intake === undefined) socket.pause();
  socket.on('error', ignoreUntilTaken);
  return socket;
}

function ignoreUntilTaken(): void {
  // The copy loop, or the TLS layer, reports errors once it owns the socket; until then a lost client is no news.
}
