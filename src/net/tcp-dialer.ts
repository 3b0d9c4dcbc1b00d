/**
 * Outgoing TCP connections: in a network namespace, with a mark, with a foreign source address (facts ztunnel-wire 1.2).
 *
 * Invariants:
 * - one deadline covers everything up to the connection, 10 s unless told;
 * - a foreign source address is best effort: when the kernel refuses it, a warning is logged and the connection is made
 *   without; a pod that calls itself (source = destination) is never bound;
 * - a connection that failed or was aborted leaves no descriptor behind.
 */
import { isIPv6, Socket } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { hasNativeAddon, type OpenSocketOptions, type StreamSocketOptions } from '../native/addon.ts';
import { connectSocket } from '../native/connect-socket.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { openTcpSocket } from '../native/sockets.ts';
import { type ConnectErrorCode, endpointText, fromConnectError } from './from-node-error.ts';
import type { ReadInto } from './inbound-connection.ts';

/** Of all upstream connects (facts ztunnel-wire 1.2). */
export const CONNECT_TIMEOUT_MS = 10_000;

export interface DialOptions extends StreamSocketOptions {
  readonly destination: Endpoint;
  readonly netnsFd?: number | undefined;
  readonly mark?: number | undefined;
  /** Address the connection shall come from, if the kernel allows it. */
  readonly spoofedSource?: string | undefined;
  /** Default 10000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly readInto?: ReadInto | undefined;
}

export interface DialDeps {
  /** Ports to try, in their order, for a connection with a foreign source address; else the kernel chooses. */
  readonly sourcePorts?: () => readonly number[];
  readonly clock?: Clock;
  readonly log?: Logger;
}

/**
 * Connects. The socket has `allowHalfOpen`.
 * @throws AmbitError CONNECT_* with the side at fault, or NATIVE_* when the socket cannot be opened
 */
export async function dialTcp(options: DialOptions, deps: DialDeps = {}): Promise<Socket> {
  const { destination, signal, timeoutMs = CONNECT_TIMEOUT_MS } = options;
  if (signal?.aborted) throw aborted(destination);
  const clock = deps.clock ?? systemClock;
  if (!wantsAddon(options)) return connect(nodeSocket(options), options, clock);
  const fd = openFd(options, deps);
  const connecting = connectSocket(fd, destination, { clock, timeoutMs, signal });
  const failure = connecting instanceof Promise ? await connecting : connecting;
  if (failure === undefined) return connectedSocket(fd, options.readInto);
  if (failure.kind === 'aborted') throw aborted(destination);
  if (failure.kind === 'timeout') throw timedOut(destination, timeoutMs);
  throw fromConnectError(failure.error, destination);
}

function connectedSocket(fd: number, onread: ReadInto | undefined): Socket {
  if (onread === undefined) return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true, onread });
}

/** Without the addon, or without anything that only it can do. */
function nodeSocket({ readInto, noDelay = true, keepAlive }: DialOptions): Socket {
  const socket = new Socket({
    allowHalfOpen: true,
    ...(readInto === undefined ? {} : { onread: readInto }),
    ...(keepAlive === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: keepAlive.idleSec * 1000 }),
  });
  socket.setNoDelay(noDelay);
  return socket;
}

function wantsAddon({ netnsFd, mark, spoofedSource, keepAlive, userTimeoutMs }: DialOptions): boolean {
  if (netnsFd !== undefined || mark !== undefined || spoofedSource !== undefined) return true;
  return (keepAlive !== undefined || userTimeoutMs !== undefined) && hasNativeAddon();
}

function openFd(options: DialOptions, { log = silentLogger, sourcePorts }: DialDeps): number {
  const { destination, spoofedSource: address } = options;
  if (address === undefined || address === destination.address) return openTcpSocket(plainSocket(options));
  if (isIPv6(address) !== isIPv6(destination.address)) return openTcpSocket(plainSocket(options));
  try {
    const bind = { address, port: 0 };
    return openTcpSocket({
      ...plainSocket(options),
      transparent: 'required',
      freebind: true,
      bind,
      bindPorts: sourcePorts?.(),
    });
  } catch (error) {
    log.warn('cannot keep the source address, connecting without it', {
      source: address,
      destination: endpointText(destination),
      error: errorText(error),
    });
    return openTcpSocket(plainSocket(options));
  }
}

function plainSocket(options: DialOptions): OpenSocketOptions {
  const { destination, netnsFd, mark, noDelay = true, keepAlive, userTimeoutMs } = options;
  return { family: isIPv6(destination.address) ? 6 : 4, netnsFd, mark, noDelay, keepAlive, userTimeoutMs };
}

function aborted(destination: Endpoint): AmbitError<ConnectErrorCode> {
  return new AmbitError('CONNECT_ABORTED', `connect to ${endpointText(destination)}: given up by the caller`);
}

function timedOut(destination: Endpoint, timeoutMs: number): AmbitError<ConnectErrorCode> {
  return new AmbitError(
    'CONNECT_TIMEOUT',
    `connect to ${endpointText(destination)}: no answer in ${timeoutMs} ms; host down, or packets dropped on the way`,
    { side: 'upstream', retry: 'idempotent' },
  );
}

function connect(socket: Socket, options: DialOptions, clock: Clock): Promise<Socket> {
  const { destination, timeoutMs = CONNECT_TIMEOUT_MS, signal } = options;
  return new Promise((resolve, reject) => {
    const settle = () => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('connect', onConnect);
      socket.removeListener('error', onError);
    };
    const abandon = (error: AmbitError<ConnectErrorCode>) => {
      settle();
      // A late error of a socket nobody waits for any more has no reader.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error) => abandon(fromConnectError(error, destination));
    const onAbort = () => abandon(aborted(destination));
    const timer = clock.after(timeoutMs, () => abandon(timedOut(destination, timeoutMs)));
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', onConnect);
    socket.once('error', onError);
    socket.connect({ host: destination.address, port: destination.port });
  });
}
