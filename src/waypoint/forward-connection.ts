/** A connection through the waypoint as plain bytes: to one endpoint, both ways, until both sides ended. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Result } from '../base/result.ts';
import { type ProxyError, proxyError, responseFlag } from '../hbone/proxy-error.ts';
import { refuseStream } from '../hbone/refuse-stream.ts';
import { Http2Code } from '../http2/http2-error.ts';
import { relay } from '../http2/relay.ts';
import { relayStreams } from '../http2/relay-streams.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { chooseBackend, type ForwardPlan } from '../routing/compile-routes.ts';
import type { ConnectionMeter } from '../telemetry/tcp-metrics.ts';
import type { Outcome, Permit, PickedEndpoint } from './clusters.ts';
import { connectOutcome } from './connect-outcome.ts';
import type { ConnectTarget } from './connect-target.ts';
import type { OpenDecisions } from './open-decisions.ts';
import type { RequestTelemetry } from './request-telemetry.ts';
import { backendTarget, ownTarget, type RouteTarget, type RouteTargetDeps } from './route-target.ts';
import type { DownstreamConnection } from './tunnels.ts';
import type { Endpoint, Upstream, Upstreams } from './upstreams.ts';

export interface ForwardDeps extends RouteTargetDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly upstreams: Upstreams;
  readonly accessLog: Logger;
  readonly telemetry: RequestTelemetry;
  readonly openDecisions: OpenDecisions;
}

const NOTHING: ReadonlySet<string> = new Set();

/**
 * Carries a connection that was answered already to an endpoint; every way of ending is logged once.
 * @param plan where the routes send it; undefined for the target itself
 * @param isAllowed whether policies still let it through; asked when they change
 */
export function forwardBytes(
  connection: DownstreamConnection,
  target: ConnectTarget,
  plan: ForwardPlan | undefined,
  self: Workload,
  isAllowed: () => boolean,
  deps: ForwardDeps,
): void {
  const forwarded = new ForwardedConnection(connection, target, deps);
  forwarded.watchPolicies(isAllowed);
  forwarded.start(target, plan, self);
}

/**
 * Refuses a connection, by the status of its tunnel if that was not answered yet, and logs it.
 * @param target undefined where none was found: metrics then know nothing of the connection
 */
export function refuseConnection(
  connection: DownstreamConnection,
  target: ConnectTarget | undefined,
  error: ProxyError,
  deps: ForwardDeps,
): void {
  const refused = new ForwardedConnection(connection, target, deps);
  if (target !== undefined) refused.count(undefined);
  refused.refuse(error);
}

class ForwardedConnection {
  readonly #connection: DownstreamConnection;
  readonly #deps: ForwardDeps;
  readonly #called: Service | undefined;
  readonly #startMs: number;
  #meter: ConnectionMeter | undefined;
  #picked: PickedEndpoint | undefined;
  #permit: Permit | undefined;
  #outcome: Outcome | undefined;
  #unwatch: (() => void) | undefined;
  #forbidden: ProxyError | undefined;

  constructor(connection: DownstreamConnection, target: ConnectTarget | undefined, deps: ForwardDeps) {
    this.#connection = connection;
    this.#called = target?.kind === 'service' ? target.service : undefined;
    this.#deps = deps;
    this.#startMs = deps.clock.monotonicMs();
  }

  /** Ends the connection when policies change against it. */
  watchPolicies(isAllowed: () => boolean): void {
    this.#unwatch = this.#deps.openDecisions.add(() => {
      if (isAllowed()) return;
      this.#forbidden = proxyError('POLICY_CHANGED', 'connection closed due to policy change');
      this.#connection.stream.reset(Http2Code.CONNECT_ERROR);
    });
  }

  start(target: ConnectTarget, plan: ForwardPlan | undefined, self: Workload): void {
    const cluster = this.#targetOf(target, plan)?.cluster;
    const permit = cluster?.admitConnection();
    if (cluster !== undefined && permit === undefined) {
      this.count(undefined);
      return this.refuse(proxyError('UPSTREAM_OVERFLOW', 'upstream overflow: too many connections'));
    }
    this.#permit = permit;
    const hashesSource = cluster?.policy?.loadBalancer?.hash?.key?.$case === 'sourceIp';
    const hashKey = hashesSource ? this.#connection.clientIp : undefined;
    const picked = cluster?.pick(self, { hashKey, avoid: NOTHING });
    this.count(picked?.endpoint);
    if (cluster === undefined || picked === undefined) {
      const name = target.kind === 'service' ? target.service.hostname : target.workload.uid;
      return this.refuse(proxyError('NO_HEALTHY_UPSTREAM', `no healthy upstream: ${name}:${target.port}`));
    }
    this.#picked = picked;
    const { forwarded } = this.#connection;
    void this.#deps.upstreams.connect(
      picked.endpoint,
      self,
      forwarded,
      (result) => this.#answered(result),
      cluster.policy,
    );
  }

  /** Metrics know the connection from here on. */
  count(endpoint: Endpoint | undefined): void {
    const { telemetry } = this.#deps;
    const { clientIp, peerIdentity } = this.#connection;
    this.#meter = telemetry.connection(telemetry.client(clientIp, peerIdentity), this.#called, endpoint);
  }

  #answered(result: Result<Upstream, ProxyError>): void {
    if (result.ok) return this.#relay(result.value);
    this.#outcome = connectOutcome(result.error);
    this.refuse(result.error);
  }

  #targetOf(target: ConnectTarget, plan: ForwardPlan | undefined): RouteTarget | undefined {
    if (plan === undefined) return ownTarget(target, 'http1', this.#deps);
    const named = chooseBackend(plan, this.#deps.random())?.backend;
    return named && backendTarget(named, target.port, 'http1', this.#deps);
  }

  #relay(upstream: Upstream): void {
    const { stream, release } = this.#connection;
    if (stream.state === 'closed') {
      if (upstream.kind === 'tunnel') upstream.stream.reset();
      else upstream.socket.destroy();
      return this.#end(undefined);
    }
    if (upstream.kind === 'tcp') this.#relaySocket(upstream.socket);
    else this.#relayStream(upstream.stream);
    release();
  }

  #relaySocket(socket: Extract<Upstream, { kind: 'tcp' }>['socket']): void {
    relay(
      socket,
      this.#connection.stream,
      this.#meter ?? { bytesFromSocket: 0, bytesToSocket: 0 },
      (error) => this.#end(error && proxyError('IO', `io error: ${error.message}`, { cause: error })),
      { socketSide: 'destination' },
    );
    socket.resume();
  }

  #relayStream(stream: Extract<Upstream, { kind: 'tunnel' }>['stream']): void {
    const counters = this.#meter ?? { bytesFromSocket: 0, bytesToSocket: 0 };
    relayStreams(this.#connection.stream, stream, counters, (reason) => {
      const lost = reason?.kind === 'lost' || reason?.kind === 'unprocessed';
      this.#end(lost ? proxyError('IO', 'io error: a tunnel of the connection was lost') : undefined);
    });
  }

  refuse(error: ProxyError): void {
    const { stream } = this.#connection;
    if (stream.answered) stream.reset(Http2Code.CONNECT_ERROR);
    else refuseStream(stream, error);
    this.#end(error);
  }

  #end(failure: ProxyError | undefined): void {
    this.#unwatch?.();
    const error = this.#forbidden ?? failure;
    const { accessLog, clock } = this.#deps;
    const { clientAddress, peerIdentity, authority } = this.#connection;
    const endpoint = this.#picked?.endpoint;
    const { bytesFromSocket = 0, bytesToSocket = 0 } = this.#meter ?? {};
    this.#meter?.close(responseFlag(error), error !== undefined);
    this.#picked?.done(this.#outcome);
    this.#permit?.release();
    accessLog[error === undefined ? 'info' : 'error']('connection complete', {
      'src.addr': clientAddress,
      'src.identity': peerIdentity,
      'dst.hbone_addr': authority.text,
      'dst.service': endpoint?.service?.hostname,
      'dst.workload': endpoint?.workload.name,
      'dst.namespace': endpoint?.workload.namespace,
      bytes_sent: bytesFromSocket,
      bytes_recv: bytesToSocket,
      duration: `${Math.round(clock.monotonicMs() - this.#startMs)}ms`,
      error: error?.message,
    });
  }
}
