/**
 * TCP listeners: in any network namespace through the addon, or in the own one with node:net when the addon is missing
 * and nothing asked needs it.
 */
import { createServer, isIPv6, type Server } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { Acceptor } from '../native/acceptor.ts';
import { hasNativeAddon, type OpenSocketOptions, type StreamSocketOptions } from '../native/addon.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { localEndpoint, openTcpSocket } from '../native/sockets.ts';
import { fromListenError } from './from-node-error.ts';
import { type InboundConnection, NativeInboundConnection, NodeInboundConnection } from './inbound-connection.ts';

/**
 * Connections that wait to be accepted; the kernel lowers it to the namespace's `net.core.somaxconn` (4096 by default).
 * The peer this is measured against has 128 (facts ztunnel-wire 1.2). A burst beyond that makes the kernel answer with
 * SYN cookies, which drop SYNs for a second and take a lost first byte for the start of the stream.
 */
const DEFAULT_BACKLOG = 4096;

export interface TcpListenerOptions extends StreamSocketOptions {
  readonly endpoint: Endpoint;
  readonly netnsFd?: number;
  readonly mark?: number;
  readonly transparent?: 'required' | 'best-effort';
  readonly reusePort?: boolean;
  /** Default 4096. */
  readonly backlog?: number;
  /** Ask each connection for its destination before REDIRECT. Default false. */
  readonly originalDst?: boolean;
  /** Connections accepted per wake-up. Default 64. */
  readonly maxBatch?: number;
}

export interface TcpListenerDeps {
  readonly onConnection: (connection: InboundConnection) => void;
  /** Accepting failed for now (out of descriptors, ...); it goes on by itself. */
  readonly onError?: (error: Error) => void;
  readonly clock?: Clock;
}

export interface TcpListener {
  /** The address in use: the port is known when 0 was asked for. */
  readonly endpoint: Endpoint;
  /** Leaves new connections in the backlog. */
  pause(): void;
  resume(): void;
  /** Stops listening; accepted connections live on. */
  close(): void;
}

/**
 * Opens a listener and starts accepting.
 * @throws AmbitError LISTEN_* or NATIVE_*
 */
export async function listenTcp(options: TcpListenerOptions, deps: TcpListenerDeps): Promise<TcpListener> {
  return needsAddon(options) || hasNativeAddon() ? listenNative(options, deps) : listenNode(options, deps);
}

function needsAddon({ netnsFd, mark, transparent, originalDst, userTimeoutMs }: TcpListenerOptions): boolean {
  return (
    netnsFd !== undefined ||
    mark !== undefined ||
    transparent === 'required' ||
    originalDst === true ||
    userTimeoutMs !== undefined
  );
}

function listenNative(options: TcpListenerOptions, deps: TcpListenerDeps): TcpListener {
  const { endpoint, backlog = DEFAULT_BACKLOG, originalDst = false, maxBatch, ...rest } = options;
  const socket: OpenSocketOptions = {
    ...pick(rest, 'netnsFd'),
    ...pick(rest, 'mark'),
    ...pick(rest, 'transparent'),
    ...pick(rest, 'reusePort'),
    family: isIPv6(endpoint.address) ? 6 : 4,
    bind: endpoint,
    listenBacklog: backlog,
    // Accepted sockets begin with the options of the listening one (tcp(7)).
    ...pick(rest, 'noDelay'),
    ...pick(rest, 'keepAlive'),
    ...pick(rest, 'userTimeoutMs'),
  };
  const fd = openTcpSocket(socket);
  const acceptor = new Acceptor(
    fd,
    {
      originalDst,
      ...(maxBatch === undefined ? {} : { maxBatch }),
    },
    {
      onAccept: (batch) => {
        for (const record of batch) deps.onConnection(new NativeInboundConnection(record));
      },
      ...pick(deps, 'onError'),
      clock: deps.clock ?? systemClock,
    },
  );
  acceptor.resume();
  return {
    endpoint: localEndpoint(fd),
    pause: () => acceptor.pause(),
    resume: () => acceptor.resume(),
    close: () => acceptor.close(),
  };
}

/** One property as an object, or nothing when it is not set. */
function pick<T extends object, K extends keyof T>(from: T, key: K): Pick<T, K> | Record<never, never> {
  return from[key] === undefined ? {} : ({ [key]: from[key] } as Pick<T, K>);
}

function listenNode(options: TcpListenerOptions, deps: TcpListenerDeps): Promise<TcpListener> {
  const { endpoint, backlog = DEFAULT_BACKLOG, noDelay = false, keepAlive, reusePort = false } = options;
  const server = createServer({
    allowHalfOpen: true,
    noDelay,
    ...(keepAlive === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: keepAlive.idleSec * 1000 }),
  });
  server.on('connection', (socket) => deps.onConnection(new NodeInboundConnection(socket)));
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fromListenError(error, endpoint)));
    server.listen({ host: endpoint.address, port: endpoint.port, backlog, reusePort }, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => deps.onError?.(error));
      resolve(nodeListener(server, endpoint));
    });
  });
}

function nodeListener(server: Server, asked: Endpoint): TcpListener {
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : asked.port;
  // node:net cannot pause accepting: what arrives meanwhile is accepted and stays unread.
  return {
    endpoint: { address: asked.address, port },
    pause: () => undefined,
    resume: () => undefined,
    close: () => void server.close(),
  };
}
