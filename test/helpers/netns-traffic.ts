/** Small servers and clients for namespaces: everything a redirection test needs to see where a connection ends up. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Endpoint } from '../../src/native/endpoint.ts';
import type { InboundConnection } from '../../src/net/inbound-connection.ts';
import { type DialOptions, dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp, type TcpListenerOptions } from '../../src/net/tcp-listener.ts';

/** A TCP server that answers `<label> <peer address>` and ends. It records what it accepted. */
export interface LabelServer extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly connections: InboundConnection[];
}

export async function labelServer(label: string, options: TcpListenerOptions): Promise<LabelServer> {
  const connections: InboundConnection[] = [];
  const listener = await listenTcp(options, {
    onConnection: (connection) => {
      connections.push(connection);
      const socket = connection.open();
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(`${label} ${connection.peer.address}`);
    },
  });
  return { endpoint: listener.endpoint, connections, [Symbol.asyncDispose]: async () => listener.close() };
}

/** Connects and returns everything the server says. */
export async function ask(options: DialOptions): Promise<string> {
  const socket = await dialTcp({ timeoutMs: 3000, ...options });
  return readAll(socket);
}

/** Ends the own half and reads the other one. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end();
  await once(socket, 'close', { signal: AbortSignal.timeout(3000) }).finally(() => socket.destroy());
  return Buffer.concat(chunks).toString();
}
