/** What the handshake of a tunnel runs over, and its bytes behind it: node:tls's, or records of our own where that can be. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { SocketIntake } from '../http2/socket-intake.ts';
import { type ByteTransport, socketTransport } from '../http2/transport.ts';
import type { InboundConnection } from '../net/inbound-connection.ts';
import { HandshakeStream, type TlsRole } from './handshake-stream.ts';
import { openQuietly } from './open-quietly.ts';
import type { RecordMemory } from './record-memory.ts';
import type { TunnelReading } from './record-transport.ts';

/** @param memory undefined: node:tls reads */
export function tunnelReading(memory: RecordMemory | undefined): TunnelReading | undefined {
  return memory && { intake: new SocketIntake(memory.readBuffer), memory };
}

/** @param reading what the socket was opened with */
export function tunnelStream(
  socket: Socket,
  reading: TunnelReading | undefined,
  role: TlsRole,
): Socket | HandshakeStream {
  return reading === undefined ? socket : new HandshakeStream(socket, reading, role);
}

/** Opens an accepted connection for its handshake. @param memory as for `tunnelReading` */
export function acceptedTunnelStream(
  connection: InboundConnection,
  memory: RecordMemory | undefined,
): Socket | HandshakeStream {
  const reading = tunnelReading(memory);
  return tunnelStream(openQuietly(connection, reading?.intake), reading, 'server');
}

/** The bytes behind the handshake that node:tls did over `stream`. */
export async function tunnelTransport(stream: Duplex, secured: TLSSocket): Promise<ByteTransport> {
  // A connection may be lost while nobody listens to it: the transport tells why, and the process must not end of it.
  secured.on('error', (error) => secured.destroy(error));
  const taken = stream instanceof HandshakeStream ? await stream.takeBack(secured) : undefined;
  return taken ?? socketTransport(secured);
}
