/** Sockets of one pod: opened inside its network namespace, marked as the proxy's own (facts ztunnel-wire 1.2). */
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type Address, connectError, type Dialer, type DialerOptions } from '../../hbone/dialer.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import type { StreamSocketOptions } from '../../native/addon.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import { readPortRange, SourcePorts } from '../../net/source-ports.ts';
import { type DialDeps, dialTcp } from '../../net/tcp-dialer.ts';
import { listenTcp, type TcpListener, type TcpListenerOptions } from '../../net/tcp-listener.ts';
import type { ZtunnelConfig } from '../config.ts';

/** What a listener is for; decides about its socket options. */
export type ListenerKind = 'outbound' | 'inbound-plaintext' | 'inbound-tunnel' | 'socks5';

export interface PodDialOptions extends DialerOptions {
  /** The address that the destination shall see. */
  readonly spoofedSource?: string | undefined;
}

/** What the proxy needs of a network: tests put a plain one in its place. */
export interface PodNetwork extends Dialer {
  listen(kind: ListenerKind, port: number, onConnection: (connection: InboundConnection) => void): Promise<TcpListener>;
  /** Connects within the connect timeout; the source address is kept when asked and possible. */
  dial(destination: Address, options?: PodDialOptions): Promise<Result<Socket, ProxyError>>;
  /** Refuses to open anything from now on: the namespace's descriptor may soon be another's. */
  close(): void;
  readonly isClosed: boolean;
}

export interface PodNetworkDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
}

/** The network of a pod, or of this process itself when there is no namespace (dedicated mode). */
export function createPodNetwork(config: ZtunnelConfig, netnsFd: number | undefined, deps: PodNetworkDeps): PodNetwork {
  return new OwnPodNetwork(config, netnsFd, deps);
}

class OwnPodNetwork implements PodNetwork {
  readonly #config: ZtunnelConfig;
  readonly #deps: PodNetworkDeps;
  readonly #place: { readonly netnsFd?: number; readonly mark?: number };
  readonly #stream: StreamSocketOptions;
  readonly #dialDeps: DialDeps;
  #isClosed = false;

  constructor(config: ZtunnelConfig, netnsFd: number | undefined, deps: PodNetworkDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#place = {
      ...(netnsFd !== undefined && { netnsFd }),
      ...(config.packetMark !== undefined && { mark: config.packetMark }),
    };
    this.#stream = streamOptions(config);
    const ports = new SourcePorts(readPortRange(), deps.random);
    this.#dialDeps = { clock: deps.clock, log: deps.logger, sourcePorts: () => ports.candidates() };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  listen(kind: ListenerKind, port: number, onConnection: (connection: InboundConnection) => void) {
    const onError = (error: Error) => this.#deps.logger.warn('accept failed', { port, error: errorText(error) });
    const options = this.#listenOptions(kind);
    const listen = async (address: string) => {
      if (this.#isClosed) throw new AmbitError('LISTEN_FAILED', `cannot listen on port ${port}: the pod was stopped`);
      return listenTcp({ ...options, endpoint: { address, port } }, { onConnection, onError });
    };
    return kind === 'socks5' ? listen('127.0.0.1') : listenWildcard(this.#config.ipv6Enabled, port, listen);
  }

  async dial(destination: Address, { spoofedSource, readInto }: PodDialOptions = {}) {
    if (this.#isClosed) return fail(proxyError('DRAINED', 'connection closed due to connection drain'));
    const spoofed = this.#config.originalSource === 'off' ? undefined : spoofedSource;
    const options = { ...this.#place, ...this.#stream, spoofedSource: spoofed, readInto, destination };
    try {
      return ok(await dialTcp(options, this.#dialDeps));
    } catch (error) {
      return fail(connectError(error));
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  #listenOptions(kind: ListenerKind): Omit<TcpListenerOptions, 'endpoint'> {
    const { originalSource, reusePort, mode } = this.#config;
    return {
      ...this.#place,
      ...(originalSource === 'off' ? {} : { transparent: originalSource }),
      // Tunnels have HTTP/2 pings of their own.
      ...(kind === 'inbound-tunnel' ? { noDelay: true } : this.#stream),
      // In dedicated mode nobody else has a right to the port: a conflict has to show.
      reusePort: reusePort && mode === 'shared',
      originalDst: kind !== 'inbound-tunnel' && kind !== 'socks5',
    };
  }
}

/** Both families when there is IPv6, else IPv4 alone. */
async function listenWildcard(
  ipv6: boolean,
  port: number,
  listen: (address: string) => Promise<TcpListener>,
): Promise<TcpListener> {
  if (!ipv6) return listen('0.0.0.0');
  try {
    return await listen('::');
  } catch (error) {
    // A kernel or namespace without IPv6 refuses the family, not the port.
    if (error instanceof AmbitError && ['NATIVE_UNSUPPORTED', 'LISTEN_ADDRESS_UNAVAILABLE'].includes(error.code)) {
      return listen('0.0.0.0');
    }
    throw new AmbitError('LISTEN_FAILED', `cannot listen on port ${port}: ${errorText(error)}`, { cause: error });
  }
}

function streamOptions({ keepAlive }: ZtunnelConfig): StreamSocketOptions {
  const { enabled, idleMs, intervalMs, probes, userTimeoutEnabled } = keepAlive;
  const idleSec = Math.max(1, Math.round(idleMs / 1000));
  const intervalSec = Math.max(1, Math.round(intervalMs / 1000));
  return {
    noDelay: true,
    ...(enabled && { keepAlive: { idleSec, intervalSec, probes } }),
    ...(userTimeoutEnabled && { userTimeoutMs: idleMs + probes * intervalMs }),
  };
}
