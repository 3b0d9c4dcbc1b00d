/**
 * TCP listeners: in any network namespace through the addon, or in the own one with node:net when the addon is missing
 * and nothing asked needs it.
 */
import { createServer, isIPv6, type Server } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { Acceptor } from '../native/acceptor.ts';
import { hasNativeAddon, type OpenSocketOptions, type StreamSocketOptions } from '../native/addon.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { closeFd, localEndpoint, openTcpSocket } from '../native/sockets.ts';
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
  const fd = openTcpSocket(listeningSocket(options));
  let acceptor: Acceptor | undefined;
  try {
    acceptor = acceptFrom(fd, options, deps);
    acceptor.resume();
    return nativeListener(acceptor, localEndpoint(fd));
  } catch (error) {
    // With SO_REUSEPORT a socket that nobody accepts from keeps its share of the connections.
    if (acceptor === undefined) closeFd(fd);
    else acceptor.close();
    throw error instanceof AmbitError ? error : fromListenError(error, options.endpoint);
  }
}

function listeningSocket({ endpoint, backlog = DEFAULT_BACKLOG, ...rest }: TcpListenerOptions): OpenSocketOptions {
  return {
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
}

function acceptFrom(fd: number, { originalDst = false, ...rest }: TcpListenerOptions, deps: TcpListenerDeps): Acceptor {
  return new Acceptor(
    fd,
    { originalDst, ...pick(rest, 'maxBatch') },
    {
      onAccept: (batch) => {
        for (const record of batch) handOut(new NativeInboundConnection(record), deps);
      },
      ...pick(deps, 'onError'),
      clock: deps.clock ?? systemClock,
    },
  );
}

function nativeListener(acceptor: Acceptor, endpoint: Endpoint): TcpListener {
  return {
    endpoint,
    pause: () => acceptor.pause(),
    resume: () => acceptor.resume(),
    close: () => acceptor.close(),
  };
}

/** A defect in the handling of one connection ends that one alone; it is an uncaught exception when the others have begun. */
function handOut(connection: NativeInboundConnection | NodeInboundConnection, { onConnection }: TcpListenerDeps): void {
  try {
    onConnection(connection);
  } catch (error) {
    connection.abandon();
    queueMicrotask(() => {
      throw error;
    });
  }
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
  server.on('connection', (socket) => handOut(new NodeInboundConnection(socket), deps));
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
