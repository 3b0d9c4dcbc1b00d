/** The DNS proxy's sockets of one pod: in its network namespace, marked as the proxy's own (facts ztunnel-wire 1.2). */
import type { Socket as UdpSocket } from 'node:dgram';
import { isIPv6, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { AmbitError, errorText, systemErrorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Endpoint } from '../../native/endpoint.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import { dialTcp } from '../../net/tcp-dialer.ts';
import { listenTcp, type TcpListener } from '../../net/tcp-listener.ts';
import { bindUdp } from '../../net/udp-socket.ts';
import type { ZtunnelConfig } from '../config.ts';

/** What the DNS proxy needs of a network: tests put a plain one in its place. */
export interface DnsNetwork {
  listenTcp(endpoint: Endpoint, onConnection: (connection: InboundConnection) => void): Promise<TcpListener>;
  listenUdp(endpoint: Endpoint): Promise<UdpSocket>;
  /** A socket with a random port of its own that hears this server alone. */
  connectUdp(server: Endpoint): Promise<UdpSocket>;
  connectTcp(server: Endpoint, timeoutMs: number): Promise<Socket>;
}

export interface DnsNetworkDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether nothing may be opened any more: the namespace's descriptor may be another's. */
  readonly isClosed?: () => boolean;
}

/** The network of a pod, or of this process itself when there is no namespace (dedicated mode). */
export function createDnsNetwork(config: ZtunnelConfig, netnsFd: number | undefined, deps: DnsNetworkDeps): DnsNetwork {
  const place = {
    ...(netnsFd !== undefined && { netnsFd }),
    ...(config.packetMark !== undefined && { mark: config.packetMark }),
  };
  const shared = { ...place, reusePort: config.reusePort && netnsFd !== undefined };
  return {
    async listenTcp(endpoint, onConnection) {
      refuseWhenClosed(deps);
      const onError = (error: Error) =>
        deps.logger.warn('accept failed', { port: endpoint.port, error: errorText(error) });
      return listenTcp({ ...shared, endpoint, noDelay: true }, { onConnection, onError });
    },
    async listenUdp(endpoint) {
      refuseWhenClosed(deps);
      return bindUdp({ ...shared, endpoint });
    },
    async connectUdp(server) {
      refuseWhenClosed(deps);
      const wildcard = isIPv6(server.address) ? '::' : '0.0.0.0';
      const socket = await bindUdp({ ...place, endpoint: { address: wildcard, port: 0 } });
      return connected(socket, server);
    },
    async connectTcp(destination, timeoutMs) {
      refuseWhenClosed(deps);
      const options = { ...place, destination, timeoutMs, noDelay: true };
      return dialTcp(options, { clock: deps.clock, log: deps.logger });
    },
  };
}

function refuseWhenClosed({ isClosed }: DnsNetworkDeps): void {
  if (isClosed?.()) throw new AmbitError('CONNECT_ABORTED', 'the pod was stopped: nothing is opened for it any more');
}

/**
 * Whether a failed listen on ::1 means that the namespace has no IPv6 on its loopback: `disable_ipv6` there takes the
 * address away, a kernel without IPv6 the family. The file itself belongs to another namespace than ours.
 */
export function lacksIpv6(error: unknown): boolean {
  if (!(error instanceof AmbitError)) return false;
  return (
    ['NATIVE_ADDRESS_UNAVAILABLE', 'NATIVE_UNSUPPORTED', 'LISTEN_ADDRESS_UNAVAILABLE'].includes(error.code) ||
    systemErrorCode(error.cause) === 'EAFNOSUPPORT'
  );
}

function connected(socket: UdpSocket, { address, port }: Endpoint): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      socket.close();
      reject(error);
    };
    socket.once('error', onError);
    socket.connect(port, address, () => {
      socket.removeListener('error', onError);
      resolve(socket);
    });
  });
}
