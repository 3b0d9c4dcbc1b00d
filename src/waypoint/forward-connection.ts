/** A connection through the waypoint as plain bytes: to one endpoint, both ways, until both sides ended. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { Http2Code } from '../http2/http2-error.ts';
import { relay } from '../http2/relay.ts';
import { relayStreams } from '../http2/relay-streams.ts';
import type { Workload } from '../model/workload.ts';
import { chooseBackend, type ForwardPlan } from '../routing/compile-routes.ts';
import type { Outcome, Permit, PickedEndpoint } from './clusters.ts';
import type { ConnectTarget } from './connect-target.ts';
import { backendTarget, ownTarget, type RouteTarget, type RouteTargetDeps } from './route-target.ts';
import { type DownstreamConnection, refuse } from './tunnels.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

export interface ForwardDeps extends RouteTargetDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly upstreams: Upstreams;
  readonly accessLog: Logger;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Bytes as the client's side saw them. */
interface Traffic {
  sent: number;
  received: number;
}

/**
 * Carries a connection that was answered already to an endpoint; every way of ending is logged once.
 * @param plan where the routes send it; undefined for the target itself
 */
export function forwardBytes(
  connection: DownstreamConnection,
  target: ConnectTarget,
  plan: ForwardPlan | undefined,
  self: Workload,
  deps: ForwardDeps,
): void {
  new ForwardedConnection(connection, deps).start(target, plan, self);
}

/** Refuses a connection, by the status of its tunnel if that was not answered yet, and logs it. */
export function refuseConnection(connection: DownstreamConnection, error: ProxyError, deps: ForwardDeps): void {
  new ForwardedConnection(connection, deps).refuse(error);
}

class ForwardedConnection {
  readonly #connection: DownstreamConnection;
  readonly #deps: ForwardDeps;
  readonly #startMs: number;
  readonly #traffic: Traffic = { sent: 0, received: 0 };
  #picked: PickedEndpoint | undefined;
  #permit: Permit | undefined;
  #outcome: Outcome | undefined;

  constructor(connection: DownstreamConnection, deps: ForwardDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#startMs = deps.clock.monotonicMs();
  }

  start(target: ConnectTarget, plan: ForwardPlan | undefined, self: Workload): void {
    const cluster = this.#targetOf(target, plan)?.cluster;
    const permit = cluster?.admitConnection();
    if (cluster !== undefined && permit === undefined) {
      return this.refuse(proxyError('UPSTREAM_OVERFLOW', 'upstream overflow: too many connections'));
    }
    this.#permit = permit;
    const hashesSource = cluster?.policy?.loadBalancer?.hash?.key?.$case === 'sourceIp';
    const hashKey = hashesSource ? this.#connection.clientIp : undefined;
    const picked = cluster?.pick(self, { hashKey, avoid: NOTHING });
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

  #answered(result: Result<Upstream, ProxyError>): void {
    if (result.ok) return this.#relay(result.value);
    this.#outcome = { kind: 'connect-failure' };
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
    const bytes = { bytesFromSocket: 0, bytesToSocket: 0 };
    relay(
      socket,
      this.#connection.stream,
      bytes,
      (error) => {
        this.#traffic.sent = bytes.bytesToSocket;
        this.#traffic.received = bytes.bytesFromSocket;
        this.#end(error && proxyError('IO', `io error: ${error.message}`, { cause: error }));
      },
      { socketSide: 'destination' },
    );
    socket.resume();
  }

  #relayStream(stream: Extract<Upstream, { kind: 'tunnel' }>['stream']): void {
    const bytes = { bytesFromDownstream: 0, bytesToDownstream: 0 };
    relayStreams(this.#connection.stream, stream, bytes, (reason) => {
      this.#traffic.sent = bytes.bytesFromDownstream;
      this.#traffic.received = bytes.bytesToDownstream;
      const lost = reason?.kind === 'lost' || reason?.kind === 'unprocessed';
      this.#end(lost ? proxyError('IO', 'io error: a tunnel of the connection was lost') : undefined);
    });
  }

  refuse(error: ProxyError): void {
    const { stream } = this.#connection;
    if (stream.answered) stream.reset(Http2Code.CONNECT_ERROR);
    else refuse(stream, error);
    this.#end(error);
  }

  #end(error: ProxyError | undefined): void {
    const { accessLog, clock } = this.#deps;
    const { clientAddress, peerIdentity, authority } = this.#connection;
    const endpoint = this.#picked?.endpoint;
    this.#picked?.done(this.#outcome);
    this.#permit?.release();
    accessLog[error === undefined ? 'info' : 'error']('connection complete', {
      'src.addr': clientAddress,
      'src.identity': peerIdentity,
      'dst.hbone_addr': authority.text,
      'dst.service': endpoint?.service?.hostname,
      'dst.workload': endpoint?.workload.name,
      'dst.namespace': endpoint?.workload.namespace,
      bytes_sent: this.#traffic.received,
      bytes_recv: this.#traffic.sent,
      duration: `${Math.round(clock.monotonicMs() - this.#startMs)}ms`,
      error: error?.message,
    });
  }
}
