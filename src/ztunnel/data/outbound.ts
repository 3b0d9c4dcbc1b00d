/**
 * Connections that a pod makes, captured on 15001 (facts ztunnel-wire 6.1, 7).
 *
 * Invariants:
 * - The client's bytes go out only over the route that was resolved: a tunnel that cannot be built ends the connection,
 *   it never becomes plain TCP.
 * - The source identity is that of the pod whose listener accepted the connection, from the agent and the feed together.
 */
import type { Socket } from 'node:net';
import type { Result } from '../../base/result.ts';
import { type ConnectRequest, newTraceparent, requestConnect } from '../../hbone/connect-request.ts';
import { openQuietly } from '../../hbone/open-quietly.ts';
import { openTunnel, openTunnelOver } from '../../hbone/open-tunnel.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import { type Tunnel, type TunnelKey, TunnelPool } from '../../hbone/tunnel-pool.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../../hbone/tunnel-settings.ts';
import { Http2Code } from '../../http2/http2-error.ts';
import { relay } from '../../http2/relay.ts';
import { SocketIntake } from '../../http2/socket-intake.ts';
import type { Http2Stream } from '../../http2/stream.ts';
import { streamDuplex } from '../../http2/stream-duplex.ts';
import { canonicalIp, formatAddress, type IpAddress, isLoopback } from '../../model/address.ts';
import { type Workload, workloadIdentity } from '../../model/workload.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import { relaySockets } from '../../net/relay-sockets.ts';
import { OwnBaggage } from '../../telemetry/baggage.ts';
import { formatForwarded } from '../../telemetry/forwarded.ts';
import type { DialTarget, OutboundRoute } from '../resolve-destination.ts';
import { isIllegalPort } from './illegal-ports.ts';
import { onDemandRoute } from './on-demand-route.ts';
import { type PodContext, WORKLOAD_WAIT_MS, workloadText } from './pod-context.ts';
import { discard, ProxiedConnection, relayError } from './proxied-connection.ts';

type TunnelRoute = Extract<OutboundRoute, { kind: 'hbone' | 'double-hbone' }>;

/** A captured connection on its way out. */
interface Capture {
  readonly socket: Socket;
  /** Set when the connection goes into a tunnel. */
  readonly intake: SocketIntake | undefined;
  readonly source: Workload;
  readonly clientIp: IpAddress;
  readonly clientPort: number;
  readonly destination: { readonly ip: IpAddress; readonly port: number };
}

export class Outbound {
  readonly #context: PodContext;
  readonly #pool: TunnelPool;
  readonly #baggage = new OwnBaggage();

  constructor(context: PodContext) {
    this.#context = context;
    const { config, clock } = context;
    this.#pool = new TunnelPool(
      { maxStreams: config.poolMaxStreams, idleMs: config.poolIdleMs },
      { clock, open: (key, onClosed) => openTunnel(key, onClosed, this.#tunnelDeps()) },
    );
  }

  /** Takes a connection that the pod opened. Every failure ends it and is reported; nothing is thrown. */
  accept(connection: InboundConnection): void {
    const destination = {
      ip: canonicalIp(connection.originalDestination.address),
      port: connection.originalDestination.port,
    };
    if (this.#callsOurselves(connection, destination)) {
      return this.#refuse(connection, proxyError('RECURSIVE_CALL', 'attempted recursive call to ourselves'));
    }
    const source = this.#context.local.current();
    if (source !== undefined) this.#start(connection, destination, source);
    else void this.#startLater(connection, destination);
  }

  /** Whether the client called this listener itself, on the loopback or on any address of the pod: it was not redirected. */
  #callsOurselves({ local }: InboundConnection, { ip, port }: Capture['destination']): boolean {
    if (!isIllegalPort(this.#context.config, port)) return false;
    return isLoopback(ip) || (local.port === port && canonicalIp(local.address) === ip);
  }

  /** Stops keeping tunnels; those in use end with their connections. */
  drain(): void {
    this.#pool.drain();
  }

  stop(): void {
    this.#pool.destroy();
  }

  async #startLater(connection: InboundConnection, destination: Capture['destination']): Promise<void> {
    const { local } = this.#context;
    const source = await local.wait(WORKLOAD_WAIT_MS);
    if (source !== undefined) return this.#start(connection, destination, source);
    const text = `failed to fetch information about local workload: ${workloadText(local.info)}`;
    this.#refuse(connection, proxyError('UNKNOWN_LOCAL_WORKLOAD', text));
  }

  #start(connection: InboundConnection, destination: Capture['destination'], source: Workload): void {
    const { resolver, onDemand } = this.#context;
    if (onDemand === undefined) {
      return this.#follow(connection, destination, source, resolver.resolve(source, destination));
    }
    const route = onDemandRoute(this.#context, onDemand, source, destination);
    if (!(route instanceof Promise)) return this.#follow(connection, destination, source, route);
    // Whoever gave the answer checked that the pod is still there.
    void route.then((late) => this.#follow(connection, destination, this.#context.local.current() ?? source, late));
  }

  #follow(
    connection: InboundConnection,
    destination: Capture['destination'],
    source: Workload,
    route: Result<OutboundRoute, ProxyError>,
  ): void {
    if (!route.ok) return this.#refuse(connection, route.error);
    const tunnelled = route.value.kind === 'hbone' || route.value.kind === 'double-hbone';
    const intake = tunnelled ? new SocketIntake(this.#context.intakeBuffer) : undefined;
    const socket = openQuietly(connection, intake);
    const { peer } = connection;
    const capture = { socket, intake, source, destination, clientIp: canonicalIp(peer.address), clientPort: peer.port };
    const { target } = route.value;
    if (target.kind === 'address') this.#dispatch(capture, route.value, target.ip);
    else void this.#dispatchByName(capture, route.value, target);
  }

  async #dispatchByName(
    capture: Capture,
    route: OutboundRoute,
    target: Extract<DialTarget, { kind: 'hostname' }>,
  ): Promise<void> {
    const { hostnames, onDemandDns } = this.#context;
    onDemandDns.count(capture.source, target.hostname);
    const ip = await hostnames.resolve(target.hostname, target.families, capture.destination.ip.includes(':'));
    if (this.#context.local.closed) return discard(capture.socket);
    if (ip !== undefined) return this.#dispatch(capture, route, ip);
    const name = route.workload?.uid ?? target.hostname;
    const proxied = this.#report(capture, route, target.hostname, undefined);
    proxied.end(proxyError('NO_RESOLVED_ADDRESS', `no ip addresses were resolved for workload: ${name}`));
    discard(capture.socket);
  }

  #dispatch(capture: Capture, route: OutboundRoute, targetIp: IpAddress): void {
    const dialled = formatAddress(targetIp, route.target.port);
    if (route.kind === 'passthrough' || route.kind === 'tcp') {
      void this.#connectPlain(capture, this.#report(capture, route, dialled, undefined), targetIp, route.target.port);
      return;
    }
    const authority =
      route.authority ?? formatAddress(targetIp, (route as Extract<OutboundRoute, { kind: 'hbone' }>).authorityPort);
    const proxied = this.#report(capture, route, dialled, authority);
    const key: TunnelKey = {
      sourceIdentity: workloadIdentity(capture.source),
      sourceIp: capture.clientIp,
      identities: route.kind === 'double-hbone' ? route.gatewayIdentities : route.identities,
      targetIp,
      targetPort: route.target.port,
    };
    const tunnel = this.#pool.current(key);
    if (tunnel !== undefined) this.#useTunnel(capture, route, authority, proxied, tunnel);
    else void this.#awaitTunnel(capture, route, authority, proxied, key);
  }

  async #awaitTunnel(
    capture: Capture,
    route: TunnelRoute,
    authority: string,
    proxied: ProxiedConnection,
    key: TunnelKey,
  ): Promise<void> {
    const tunnel = await this.#pool.acquire(key);
    if (tunnel.ok) this.#pool.redeem(tunnel.value);
    if (proxied.ended) return;
    if (tunnel.ok) return this.#useTunnel(capture, route, authority, proxied, tunnel.value);
    proxied.end(tunnel.error);
    discard(capture.socket);
  }

  #useTunnel(
    capture: Capture,
    route: TunnelRoute,
    authority: string,
    proxied: ProxiedConnection,
    tunnel: Tunnel,
  ): void {
    const request = this.#request(capture, route, authority);
    proxied.peerKeys = tunnel.peerKeys;
    const stream = requestConnect(tunnel.connection, request, this.#context, (answer) => {
      if (!answer.ok) {
        proxied.end(answer.error);
        discard(capture.socket);
      } else if (proxied.ended) {
        answer.value.stream.reset(Http2Code.CANCEL);
      } else if (route.kind === 'double-hbone') {
        void this.#useInnerTunnel(capture, route, proxied, answer.value.stream);
      } else {
        this.#relay(capture, answer.value.stream, proxied);
      }
    });
    if (stream !== undefined) proxied.holds(stream);
  }

  /** TLS and HTTP/2 once more inside the gateway's stream, for this connection alone (facts 6.6). */
  async #useInnerTunnel(
    capture: Capture,
    route: Extract<OutboundRoute, { kind: 'double-hbone' }>,
    proxied: ProxiedConnection,
    outer: Http2Stream,
  ): Promise<void> {
    const duplex = streamDuplex(outer);
    proxied.holds(duplex);
    const identity = workloadIdentity(capture.source);
    const inner = await openTunnelOver(duplex, identity, route.identities, () => duplex.destroy(), this.#tunnelDeps());
    const failed = (error: ProxyError) => {
      proxied.end(error);
      duplex.destroy();
      discard(capture.socket);
    };
    if (!inner.ok) return failed(inner.error);
    if (proxied.peerKeys !== undefined) proxied.peerKeys = [...proxied.peerKeys, ...(inner.value.peerKeys ?? [])];
    const request = {
      ...this.#request(capture, route, route.authority),
      originNetwork: this.#context.config.network,
    };
    requestConnect(inner.value.connection, request, this.#context, (answer) => {
      if (!answer.ok) return failed(answer.error);
      this.#relay(capture, answer.value.stream, proxied, () => inner.value.connection.drain());
    });
  }

  #relay({ socket, intake }: Capture, stream: Http2Stream, proxied: ProxiedConnection, onDone?: () => void): void {
    relay(
      socket,
      stream,
      proxied.bytes,
      (error) => {
        proxied.end(relayError(error));
        onDone?.();
      },
      { socketSide: 'client', ...(intake !== undefined && { intake }) },
    );
  }

  async #connectPlain(capture: Capture, proxied: ProxiedConnection, ip: IpAddress, port: number): Promise<void> {
    const { socket } = capture;
    const upstream = await this.#context.network.dial({ address: ip, port });
    if (!upstream.ok) {
      proxied.end(upstream.error);
      discard(socket);
      return;
    }
    if (proxied.ended) return discard(upstream.value);
    proxied.holds(upstream.value);
    relaySockets(socket, upstream.value, proxied.bytes, (error) => {
      proxied.end(error && proxyError('IO', `io error: ${error.message}`, { cause: error }));
    });
    socket.resume();
  }

  #request(capture: Capture, route: TunnelRoute, authority: string): ConnectRequest {
    return {
      authority,
      baggage: this.#baggage.of(capture.source),
      forwarded: formatForwarded(capture.clientIp, capture.clientPort, route.service?.hostname),
      traceparent: newTraceparent(this.#context.traceIds),
    };
  }

  #report(
    capture: Capture,
    route: OutboundRoute,
    dialled: string,
    hboneAddress: string | undefined,
  ): ProxiedConnection {
    const { source, destination } = capture;
    const tunnelled = route.kind === 'hbone' || route.kind === 'double-hbone';
    const client = formatAddress(capture.clientIp, capture.clientPort);
    const proxied = new ProxiedConnection(
      {
        podUid: this.#context.podUid,
        socketEnd: 'client',
        summary: {
          direction: 'outbound',
          src: client,
          originalDst: formatAddress(destination.ip, destination.port),
          actualDst: dialled,
          protocol: tunnelled ? 'HBONE' : 'TCP',
        },
        facts: {
          direction: 'outbound',
          sourceAddress: client,
          source,
          sourceIdentity: tunnelled ? workloadIdentity(source) : undefined,
          destinationAddress: dialled,
          hboneAddress,
          destination: route.workload,
          service: route.service,
          destinationIdentity: tunnelled ? route.identities[0] : undefined,
        },
      },
      this.#context,
    );
    proxied.holds(capture.socket);
    return proxied;
  }

  #tunnelDeps() {
    const { clock, blocks, tls, network, config, revocations } = this.#context;
    return { clock, blocks, tls, network, revocations, http2: config.http2, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS };
  }

  /** An early denial: logged, never counted (facts ztunnel-wire 11.1). */
  #refuse(connection: InboundConnection, error: ProxyError): void {
    const { peer, originalDestination } = connection;
    this.#context.accessLog.warn('connection failed', {
      'src.addr': formatAddress(peer.address, peer.port),
      'dst.addr': formatAddress(originalDestination.address, originalDestination.port),
      direction: 'outbound',
      error: error.message,
    });
    connection.reject();
  }
}
