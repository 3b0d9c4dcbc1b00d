/** Bound UDP sockets, in any network namespace through the addon; in the own one node:dgram alone is enough. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Endpoint } from '../native/endpoint.ts';
import { closeFd, openUdpSocket } from '../native/sockets.ts';
import { fromListenError } from './from-node-error.ts';

export interface UdpSocketOptions {
  /** Where to bind; port 0 lets the kernel choose. */
  readonly endpoint: Endpoint;
  readonly netnsFd?: number;
  readonly mark?: number;
  readonly reusePort?: boolean;
}

/**
 * A bound socket that receives from now on.
 * @throws AmbitError LISTEN_* or NATIVE_*
 */
export async function bindUdp(options: UdpSocketOptions): Promise<Socket> {
  const { endpoint, netnsFd, mark, reusePort = false } = options;
  const family = isIPv6(endpoint.address) ? 6 : 4;
  const native = netnsFd !== undefined || mark !== undefined;
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', ...(native ? {} : { reusePort }) });
  if (!native) return bound(socket, endpoint, () => socket.bind({ ...endpoint, exclusive: true }));
  const fd = openUdpSocket({
    family,
    bind: endpoint,
    reusePort,
    ...(netnsFd === undefined ? {} : { netnsFd }),
    ...(mark === undefined ? {} : { mark }),
  });
  try {
    return await bound(socket, endpoint, () => socket.bind({ fd, exclusive: true }));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function bound(socket: Socket, endpoint: Endpoint, bind: () => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(fromListenError(error, endpoint));
    });
    socket.once('listening', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    bind();
  });
}
