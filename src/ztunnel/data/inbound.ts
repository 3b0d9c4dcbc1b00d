/**
 * Tunnels that arrive on 15008 (facts ztunnel-wire 8.1).
 *
 * Invariants:
 * - 200 is sent only after policy allowed the connection and the application accepted it.
 * - The identity that policy sees is the one of the peer's verified certificate; headers never count.
 * - Everything a peer can make us hold is bounded: handshake time, streams, early data by the stream's window.
 */
import type { AuthorizationInput } from '../../authz/evaluate.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type Authority, authorityText, headerValue, readConnect } from '../../hbone/authority.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import { refuseStream, unanswerable } from '../../hbone/refuse-stream.ts';
import type { WorkloadTls } from '../../hbone/tls-store.ts';
import { TunnelAcceptor } from '../../hbone/tunnel-acceptor.ts';
import { tunnelSettings } from '../../hbone/tunnel-settings.ts';
import { tunnelTransport } from '../../hbone/tunnel-stream.ts';
import { Http2Connection } from '../../http2/connection.ts';
import type { Header } from '../../http2/header.ts';
import { Http2Code } from '../../http2/http2-error.ts';
import { relay } from '../../http2/relay.ts';
import { SocketIntake } from '../../http2/socket-intake.ts';
import type { Http2Stream, StreamHandler } from '../../http2/stream.ts';
import { StreamHolder } from '../../http2/stream-holder.ts';
import { canonicalIp, formatAddress, type IpAddress } from '../../model/address.ts';
import { type Workload, workloadIdentity } from '../../model/workload.ts';
import type { InboundConnection } from '../../net/inbound-connection.ts';
import { encodeProxyHeader } from '../../net/proxy-protocol-v2.ts';
import { OwnBaggage, parseBaggage } from '../../telemetry/baggage.ts';
import { forwardedHost } from '../../telemetry/forwarded.ts';
import type { HandshakeSocket, MeshPeer } from '../../tls/mesh-tls.ts';
import { authorizeInbound } from './authorize-inbound.ts';
import { isIllegalPort } from './illegal-ports.ts';
import { guessService, type InboundTarget, resolveInboundTarget } from './inbound-target.ts';
import { missingForAuthority } from './on-demand-keys.ts';
import type { OnDemandLookups } from './on-demand-lookups.ts';
import { type PodContext, WORKLOAD_WAIT_MS, workloadText } from './pod-context.ts';
import { discard, ProxiedConnection, relayError } from './proxied-connection.ts';

/** One tunnel connection of a peer. */
interface InboundTunnel {
  readonly peer: MeshPeer['peer'];
  readonly peerKeys: readonly string[] | undefined;
  readonly peerIp: IpAddress;
  readonly peerPort: number;
  readonly localIp: IpAddress;
  readonly localPort: number;
}

/** A request that was understood. */
interface InboundRequest {
  readonly stream: Http2Stream;
  readonly headers: readonly Header[];
  readonly authority: Authority;
  readonly local: Workload;
  readonly target: InboundTarget;
  /** The application's real port. */
  readonly port: number;
}

export class Inbound {
  readonly #context: PodContext;
  readonly #tunnels = new Set<Http2Connection>();
  readonly #acceptor: TunnelAcceptor;
  readonly #baggage = new OwnBaggage();
  #draining = false;

  constructor(context: PodContext) {
    this.#context = context;
    this.#acceptor = new TunnelAcceptor({
      tls: () => this.#ownTls(),
      serve: (connection, stream, peer) => this.#serve(connection, stream, peer),
      onFailed: (connection, error) => this.#log(connection, error),
    });
  }

  /** Takes a connection of a peer; failures before the first request are logged and close it. */
  accept(connection: InboundConnection): void {
    this.#acceptor.accept(connection);
  }

  /** Tells peers to open no more streams; the tunnels end with their connections. */
  drain(): void {
    this.#draining = true;
    for (const tunnel of this.#tunnels) tunnel.drain();
  }

  /** Ends every tunnel, those that are not up yet included. */
  stop(): void {
    this.#draining = true;
    this.#acceptor.stop();
    for (const tunnel of [...this.#tunnels]) tunnel.destroy();
  }

  async #ownTls(): Promise<Result<WorkloadTls, ProxyError>> {
    const { local, tls } = this.#context;
    const workload = await local.wait(WORKLOAD_WAIT_MS);
    if (workload !== undefined) return tls.get(workloadIdentity(workload));
    const text = `failed to fetch information about local workload: ${workloadText(local.info)}`;
    return fail(proxyError('UNKNOWN_LOCAL_WORKLOAD', text));
  }

  async #serve(
    connection: InboundConnection,
    stream: HandshakeSocket,
    { peer, certificate, socket: secured }: MeshPeer,
  ): Promise<void> {
    let close = resetting(stream);
    const watched = this.#context.revocations?.watch(certificate, 'destination', () => close());
    const transport = await tunnelTransport(stream, secured);
    const { http2 } = this.#context.config;
    const tunnel: InboundTunnel = {
      peer,
      peerKeys: watched?.keys,
      peerIp: canonicalIp(connection.peer.address),
      peerPort: connection.peer.port,
      localIp: canonicalIp(connection.local.address),
      localPort: connection.local.port,
    };
    const settings = tunnelSettings('server', http2);
    const { clock, blocks } = this.#context;
    const http = new Http2Connection(
      transport,
      'server',
      { clock, pool: blocks, settings },
      {
        onStream: (stream, headers) => this.#request(tunnel, stream, headers),
        onClosed: () => {
          this.#tunnels.delete(http);
          watched?.unwatch();
        },
      },
    );
    close = () => http.destroy();
    this.#tunnels.add(http);
    // A handshake that was under way when the drain began brings a tunnel that nobody may use.
    if (this.#draining) http.drain();
  }

  #request(tunnel: InboundTunnel, stream: Http2Stream, headers: readonly Header[]): StreamHandler {
    const { onDemand } = this.#context;
    if (onDemand !== undefined) return this.#requestOnDemand(onDemand, tunnel, stream, headers);
    let proxied: ProxiedConnection | undefined;
    const holder = new StreamHolder(() => proxied?.end(undefined));
    proxied = this.#begin(tunnel, stream, headers, holder);
    return holder;
  }

  /** The connection of a request that was understood; another one is refused. */
  #begin(
    tunnel: InboundTunnel,
    stream: Http2Stream,
    headers: readonly Header[],
    holder: StreamHolder,
  ): ProxiedConnection | undefined {
    const understood = this.#understand(tunnel, stream, headers);
    if (!understood.ok) {
      // The holder has to be in place before an answer may end the stream.
      queueMicrotask(() => this.#logAndRefuse(tunnel, stream, headers, understood.error));
      return undefined;
    }
    const proxied = this.#report(tunnel, understood.value);
    proxied.peerKeys = tunnel.peerKeys;
    void this.#connect(tunnel, understood.value, proxied, holder);
    return proxied;
  }

  /** Asks first for what the request needs to be understood. */
  #requestOnDemand(
    onDemand: OnDemandLookups,
    tunnel: InboundTunnel,
    stream: Http2Stream,
    headers: readonly Header[],
  ): StreamHandler {
    let proxied: ProxiedConnection | undefined;
    let over = false;
    const holder = new StreamHolder(() => {
      over = true;
      proxied?.end(undefined);
    });
    const missing = this.#missing(onDemand, tunnel, headers);
    if (missing.length === 0) proxied = this.#begin(tunnel, stream, headers, holder);
    else {
      void this.#ask(onDemand, missing, tunnel, headers).then(() => {
        if (!over) proxied = this.#begin(tunnel, stream, headers, holder);
      });
    }
    return holder;
  }

  #missing(onDemand: OnDemandLookups, tunnel: InboundTunnel, headers: readonly Header[]): readonly string[] {
    const local = this.#context.local.current();
    const authority = readConnect(headers);
    if (local === undefined || !authority.ok) return [];
    return missingForAuthority(this.#context, onDemand, local, tunnel.localIp, authority.value);
  }

  /** The owner of the authority, then its waypoint; an answered key is missing no more. */
  async #ask(
    onDemand: OnDemandLookups,
    first: readonly string[],
    tunnel: InboundTunnel,
    headers: readonly Header[],
  ): Promise<void> {
    for (let missing = first; missing.length > 0; missing = this.#missing(onDemand, tunnel, headers)) {
      await onDemand.fetch(missing);
    }
  }

  #understand(
    tunnel: InboundTunnel,
    stream: Http2Stream,
    headers: readonly Header[],
  ): Result<InboundRequest, ProxyError> {
    const { state, config } = this.#context;
    const authority = readConnect(headers);
    if (!authority.ok) return authority;
    const local = this.#context.local.current();
    if (local === undefined) {
      const text = `failed to fetch information about local workload: ${workloadText(this.#context.local.info)}`;
      return fail(proxyError('UNKNOWN_LOCAL_WORKLOAD', text));
    }
    const target = resolveInboundTarget(state, config.network, local, tunnel.localIp, authority.value);
    if (!target.ok) return target;
    const { servedPorts } = this.#context;
    const served = servedPorts === undefined || servedPorts.includes(target.value.port);
    if (!served || isIllegalPort(config, target.value.port)) {
      return fail(proxyError('RECURSIVE_CALL', 'attempted recursive call to ourselves'));
    }
    const port = local.applicationTunnel?.port ?? target.value.port;
    return ok({ stream, headers, authority: authority.value, local, target: target.value, port });
  }

  async #connect(
    tunnel: InboundTunnel,
    request: InboundRequest,
    proxied: ProxiedConnection,
    holder: StreamHolder,
  ): Promise<void> {
    const { stream, local, port } = request;
    // Nothing may be answered before the holder is the stream's handler.
    await Promise.resolve();
    proxied.holds(stream);
    const denied = authorizeInbound(this.#context, local, authorizationInput(tunnel, port));
    if (denied !== undefined) return refuse(proxied, stream, denied);
    const intake = new SocketIntake(this.#context.intakeBuffer);
    const { address, spoofedSource } = this.#applicationAddress(tunnel, request);
    const upstream = await this.#context.network.dial({ address, port }, { spoofedSource, readInto: intake.onread });
    if (!upstream.ok) return refuse(proxied, stream, upstream.error);
    const socket = upstream.value;
    if (proxied.ended) return discard(socket);
    proxied.holds(socket);
    if (!stream.respond(this.#acceptance(local))) {
      // A peer that takes no headers of this size: data without them would be an error of ours.
      proxied.end(unanswerable());
      stream.reset(Http2Code.INTERNAL_ERROR);
      return discard(socket);
    }
    const header = proxyHeader(tunnel, request.target);
    if (header !== undefined) socket.write(header);
    const options = { socketSide: 'destination' as const, intake };
    relay(socket, stream, proxied.bytes, (error) => proxied.end(relayError(error)), options);
    holder.release(stream);
  }

  #acceptance(local: Workload): readonly Header[] {
    const status: Header = [':status', '200'];
    const baggage = this.#context.config.responseBaggage ? this.#baggage.of(local) : '';
    return baggage === '' ? [status] : [status, ['baggage', baggage]];
  }

  /** The pod's own address with the peer's as source; the loopback for application tunnels (facts 1.3). */
  #applicationAddress(
    tunnel: InboundTunnel,
    { target }: InboundRequest,
  ): { readonly address: string; readonly spoofedSource: string | undefined } {
    const { localIp, peerIp } = tunnel;
    if (target.proxyDestination !== undefined && this.#context.config.localhostAppTunnel) {
      return { address: localIp.includes(':') ? '::1' : '127.0.0.1', spoofedSource: undefined };
    }
    // The replies to a foreign source find their way back only where the redirection rules are.
    const keepsSource = peerIp !== localIp && this.#context.servedPorts === undefined;
    return { address: localIp, spoofedSource: keepsSource ? peerIp : undefined };
  }

  #report(tunnel: InboundTunnel, request: InboundRequest): ProxiedConnection {
    const { config, state, onDemand } = this.#context;
    const { headers, local, authority, port } = request;
    const client = formatAddress(tunnel.peerIp, tunnel.peerPort);
    const accepted = formatAddress(tunnel.localIp, tunnel.localPort);
    const origin = headerValue(headers, 'x-forwarded-network');
    const foreign = origin !== undefined && origin !== config.network;
    if (!foreign) onDemand?.hintAddress(config.network, tunnel.peerIp);
    const source = foreign ? undefined : state.workloadByAddress(config.network, tunnel.peerIp);
    const baggage = source === undefined && config.responseBaggage ? headerValue(headers, 'baggage') : undefined;
    const forwarded = headerValue(headers, 'forwarded');
    return new ProxiedConnection(
      {
        podUid: this.#context.podUid,
        socketEnd: 'server',
        authorization: { workloadUid: local.uid, input: authorizationInput(tunnel, port) },
        summary: {
          direction: 'inbound',
          src: client,
          originalDst: authorityText(authority),
          actualDst: formatAddress(tunnel.localIp, port),
          protocol: 'HBONE',
        },
        facts: {
          direction: 'inbound',
          sourceAddress: client,
          source,
          sourceBaggage: baggage === undefined ? undefined : parseBaggage(baggage),
          sourceIdentity: tunnel.peer.id,
          destinationAddress: accepted,
          hboneAddress: authorityText(authority),
          destination: local,
          service: guessService(state, local, forwarded && forwardedHost(forwarded), port),
          destinationIdentity: workloadIdentity(local),
        },
      },
      this.#context,
    );
  }

  #logAndRefuse(tunnel: InboundTunnel, stream: Http2Stream, headers: readonly Header[], error: ProxyError): void {
    this.#context.accessLog.warn('connection failed', {
      'src.addr': formatAddress(tunnel.peerIp, tunnel.peerPort),
      'src.identity': tunnel.peer.id,
      'dst.addr': formatAddress(tunnel.localIp, tunnel.localPort),
      'dst.hbone_addr': headerValue(headers, ':authority')?.slice(0, 300),
      direction: 'inbound',
      error: error.message,
    });
    refuseStream(stream, error);
  }

  #log({ peer, local }: InboundConnection, error: ProxyError): void {
    this.#context.accessLog.warn('connection failed', {
      'src.addr': formatAddress(peer.address, peer.port),
      'dst.addr': formatAddress(local.address, local.port),
      direction: 'inbound',
      error: error.message,
    });
  }
}

/** Not written where it is used: what a tunnel calls at its end would keep the stream of its handshake until then. */
function resetting(stream: HandshakeSocket): () => unknown {
  return () => stream.resetAndDestroy();
}

/** The PROXY header for an application tunnel: who called, and what was asked for (facts 7.6). */
function proxyHeader(
  { peerIp, peerPort, peer }: InboundTunnel,
  { proxyDestination }: InboundTarget,
): Buffer | undefined {
  if (proxyDestination === undefined) return undefined;
  const source = { address: peerIp, port: peerPort };
  return encodeProxyHeader({ source, destination: proxyDestination, peerIdentity: peer.id });
}

function authorizationInput(tunnel: InboundTunnel, destinationPort: number): AuthorizationInput {
  const { peer, peerIp, localIp } = tunnel;
  return { identity: peer.identity, sourceIp: peerIp, destinationIp: localIp, destinationPort };
}

function refuse(proxied: ProxiedConnection, stream: Http2Stream, error: ProxyError): void {
  if (proxied.ended) return;
  proxied.end(error);
  refuseStream(stream, error);
}
