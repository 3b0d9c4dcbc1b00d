/** One connection in metrics and access log: opened once, closed once (facts ztunnel-wire 11.1, 11.2). */
import type { Clock } from '../../base/clock.ts';
import type { LogFields, Logger } from '../../base/logger.ts';
import { type ProxyError, responseFlag } from '../../hbone/proxy-error.ts';
import type { ByteCounters, ConnectionMeter, SocketEnd } from '../../telemetry/tcp-metrics.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionMetrics } from './connection-metrics.ts';

export interface ReportDeps {
  readonly clock: Clock;
  readonly metrics: ConnectionMetrics;
  /** The scope `access`. */
  readonly accessLog: Logger;
}

/** Counts and logs the opening of a connection, and its end once. */
export class ConnectionReport {
  readonly #facts: ConnectionFacts;
  readonly #socketEnd: SocketEnd;
  readonly #deps: ReportDeps;
  readonly #startMs: number;
  readonly #meter: ConnectionMeter;
  #closed = false;

  constructor(facts: ConnectionFacts, socketEnd: SocketEnd, deps: ReportDeps) {
    this.#facts = facts;
    this.#socketEnd = socketEnd;
    this.#deps = deps;
    this.#startMs = deps.clock.monotonicMs();
    this.#meter = deps.metrics.open(facts, socketEnd);
    if (deps.accessLog.enabled('debug')) deps.accessLog.debug('connection opened', addressFields(facts));
  }

  get bytes(): ByteCounters {
    return this.#meter;
  }

  /** Reports the end; calling it again does nothing. */
  close(error: ProxyError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#meter.close(responseFlag(error), error !== undefined);
    const { clock, accessLog } = this.#deps;
    const level = error === undefined ? 'info' : 'error';
    if (!accessLog.enabled(level)) return;
    const durationMs = Math.round(clock.monotonicMs() - this.#startMs);
    accessLog[level]('connection complete', {
      ...addressFields(this.#facts),
      ...byteFields(this.#meter, this.#facts.direction, this.#socketEnd),
      duration: `${durationMs}ms`,
      error: error?.message,
    });
  }
}

function addressFields(facts: ConnectionFacts): LogFields {
  const { source, sourceBaggage, destination } = facts;
  return {
    'src.addr': facts.sourceAddress,
    'src.workload': source?.name ?? sourceBaggage?.workload,
    'src.namespace': source?.namespace ?? sourceBaggage?.namespace,
    'src.identity': facts.sourceIdentity,
    'src.cluster': source?.clusterId ?? sourceBaggage?.cluster,
    'dst.addr': facts.destinationAddress,
    'dst.hbone_addr': facts.hboneAddress,
    'dst.service': facts.service?.hostname,
    'dst.workload': destination?.name,
    'dst.namespace': destination?.namespace,
    'dst.identity': facts.destinationIdentity,
    'dst.cluster': destination?.clusterId,
    direction: facts.direction,
  };
}

/** Seen from the workload behind this proxy: a client sent what came from its socket, a server what went to the client. */
function byteFields(bytes: ByteCounters, direction: ConnectionFacts['direction'], socketEnd: SocketEnd): LogFields {
  const localIsSocket = (direction === 'outbound') === (socketEnd === 'client');
  return localIsSocket
    ? { bytes_sent: bytes.bytesFromSocket, bytes_recv: bytes.bytesToSocket }
    : { bytes_sent: bytes.bytesToSocket, bytes_recv: bytes.bytesFromSocket };
}
