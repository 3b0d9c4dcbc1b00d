/**
 * One client connection through the proxy, from the moment its route is known: telemetry, tracking and the end of it in
 * one place, so that every way of ending reports exactly once.
 */
import { Socket } from 'node:net';
import type { AmbitError } from '../../base/errors.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import type { RelayErrorCode } from '../../http2/relay.ts';
import { resetSocket } from '../../native/reset-socket.ts';
import type { ByteCounters, SocketEnd } from '../../telemetry/tcp-metrics.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { ConnectionReport, type ReportDeps } from './connection-report.ts';
import type {
  ConnectionSummary,
  ConnectionTracker,
  TrackedAuthorization,
  TrackedConnection,
} from './connection-tracker.ts';

export interface ProxiedConnectionOptions {
  readonly podUid: string;
  readonly summary: ConnectionSummary;
  readonly facts: ConnectionFacts;
  readonly socketEnd: SocketEnd;
  readonly authorization?: TrackedAuthorization;
}

export interface ProxiedConnectionDeps extends ReportDeps {
  readonly tracker: ConnectionTracker;
}

/** What can be broken off: a socket, or a stream. Its peer does not take that for the end of data. */
export interface Breakable {
  resetAndDestroy(): unknown;
}

export class ProxiedConnection implements TrackedConnection {
  readonly podUid: string;
  readonly summary: ConnectionSummary;
  readonly authorization: TrackedAuthorization | undefined;
  /** Set once the peer of the tunnel is known, when there is a revocation list. */
  peerKeys: readonly string[] | undefined;
  readonly #tracker: ConnectionTracker;
  readonly #report: ConnectionReport;
  #ends: Breakable[] = [];
  #ended = false;

  constructor(options: ProxiedConnectionOptions, deps: ProxiedConnectionDeps) {
    this.podUid = options.podUid;
    this.summary = options.summary;
    this.authorization = options.authorization;
    this.#tracker = deps.tracker;
    this.#report = new ConnectionReport(options.facts, options.socketEnd, deps);
    deps.tracker.add(this);
  }

  get bytes(): ByteCounters {
    return this.#report.bytes;
  }

  /** Whether the end was reported already. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Names what an abort has to break off; after one it is broken off at once. */
  holds(end: Breakable): void {
    if (this.#ended) breakOff(end);
    else this.#ends.push(end);
  }

  abort(error: ProxyError): void {
    const ends = this.#ends;
    this.end(error);
    for (const end of ends) breakOff(end);
  }

  /** Reports the end; only the first call counts. */
  end(error: ProxyError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ends = [];
    this.#tracker.remove(this);
    this.#report.close(error);
  }
}

const RELAY_CODES = {
  RELAY_DESTINATION_DISCONNECTED: 'DESTINATION_DISCONNECTED',
  RELAY_CLIENT_DISCONNECTED: 'CLIENT_DISCONNECTED',
  RELAY_FAILED: 'IO',
} as const;

/** How the end of a copy loop is reported. */
export function relayError(error: AmbitError<RelayErrorCode> | undefined): ProxyError | undefined {
  return (
    error &&
    proxyError(RELAY_CODES[error.code], error.code === 'RELAY_FAILED' ? `io error: ${error.message}` : error.message, {
      cause: error,
    })
  );
}

function breakOff(end: Breakable): void {
  if (end instanceof Socket) resetSocket(end);
  else end.resetAndDestroy();
}

/** Closes a socket at once and without a word about errors that follow. */
export function discard(socket: Socket): void {
  socket.on('error', ignoreLateError);
  socket.destroy();
}

function ignoreLateError(): void {
  // The connection was given up; its reason is reported elsewhere.
}
