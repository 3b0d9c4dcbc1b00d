/**
 * The tunnels that proxies open to a waypoint on 15008 (facts l7-and-control 5.3).
 *
 * Invariants:
 * - The caller is who its verified certificate says; headers never count.
 * - What a peer can make us hold is bounded: handshake time, streams, early data by the stream's window.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type Authority, headerValue, readConnect } from '../hbone/authority.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { refuseStream } from '../hbone/refuse-stream.ts';
import type { WorkloadTls } from '../hbone/tls-store.ts';
import { TunnelAcceptor } from '../hbone/tunnel-acceptor.ts';
import { tunnelSettings } from '../hbone/tunnel-settings.ts';
import { tunnelTransport } from '../hbone/tunnel-stream.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { Header } from '../http2/header.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Http2Stream, StreamHandler } from '../http2/stream.ts';
import { StreamHolder } from '../http2/stream-holder.ts';
import { canonicalIp, formatAddress, type IpAddress } from '../model/address.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import type { InboundConnection } from '../net/inbound-connection.ts';
import type { HandshakeSocket, MeshPeer } from '../tls/mesh-tls.ts';
import type { WaypointConfig } from './config.ts';
import type { FairShares } from './fair-shares.ts';

/** A connection of a mesh client, as the CONNECT request describes it. */
export interface DownstreamConnection {
  readonly stream: Http2Stream;
  /** Hands over what arrived on the stream before its handler was set. */
  release(): void;
  readonly authority: Authority;
  readonly peerIdentity: SpiffeId;
  readonly clientIp: IpAddress;
  /** `ip:port` of the client's end of the tunnel. */
  readonly clientAddress: string;
  /** The `forwarded` header of the client's proxy. */
  readonly forwarded: string;
  /** Who shares places with nobody else. */
  readonly clientKey: string;
  /** Whether the client holds more connections than it may, so that this one is refused. */
  readonly isOverShare: boolean;
}

export interface TunnelsDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly logger: Logger;
  /** The waypoint's TLS; waits for the first certificate. */
  tls(): Promise<WorkloadTls | undefined>;
  /** Places for connections. */
  readonly shares: FairShares;
  onConnection(connection: DownstreamConnection): void;
}

export class Tunnels {
  readonly #config: WaypointConfig;
  readonly #deps: TunnelsDeps;
  readonly #open = new Set<Http2Connection>();
  readonly #acceptor: TunnelAcceptor;
  #draining = false;

  constructor(config: WaypointConfig, deps: TunnelsDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#acceptor = new TunnelAcceptor({
      tls: () => this.#tls(),
      serve: (connection, stream, peer) => this.#serve(connection, stream, peer),
      onFailed: (connection, error) => this.#log(connection, error),
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a TCP connection; failures before the first request are logged and close it. */
  accept(connection: InboundConnection): void {
    this.#acceptor.accept(connection);
  }

  /** Tells peers to open no more streams; tunnels end with their connections. */
  drain(): void {
    this.#draining = true;
    for (const tunnel of this.#open) tunnel.drain();
  }

  stop(): void {
    this.#draining = true;
    this.#acceptor.stop();
    for (const tunnel of [...this.#open]) tunnel.destroy();
  }

  async #tls(): Promise<Result<WorkloadTls, ProxyError>> {
    const tls = await this.#deps.tls();
    return tls === undefined ? fail(proxyError('IDENTITY', 'identity error: no certificate')) : ok(tls);
  }

  async #serve(
    connection: InboundConnection,
    stream: HandshakeSocket,
    { socket: secured, peer }: MeshPeer,
  ): Promise<void> {
    const transport = await tunnelTransport(stream, secured);
    const peerIdentity = peer.id;
    const { clock, blocks, shares } = this.#deps;
    const clientIp = canonicalIp(connection.peer.address);
    const clientAddress = formatAddress(clientIp, connection.peer.port);
    const clientKey = `${peerIdentity} ${clientIp}`;
    const client = { peerIdentity, clientIp, clientAddress, clientKey };
    const refused = new Set<Http2Stream>();
    const http = new Http2Connection(
      transport,
      'server',
      { clock, pool: blocks, settings: tunnelSettings('server', this.#config.http2) },
      {
        onStream: (stream, headers) => {
          const isOverShare = !shares.enter(clientKey);
          if (isOverShare) refused.add(stream);
          return this.#request({ ...client, isOverShare }, stream, headers);
        },
        onStreamClosed: (stream) => {
          if (!refused.delete(stream)) shares.leave(clientKey);
        },
        onClosed: () => void this.#open.delete(http),
      },
    );
    this.#open.add(http);
    if (this.#draining) http.drain();
  }

  #request(
    client: Omit<DownstreamConnection, 'stream' | 'release' | 'authority' | 'forwarded'>,
    stream: Http2Stream,
    headers: readonly Header[],
  ): StreamHandler {
    const holder = new StreamHolder(() => undefined);
    const authority = readConnect(headers);
    // The holder has to be in place before an answer may end the stream.
    queueMicrotask(() => {
      if (stream.state === 'closed') return;
      if (!authority.ok) return refuseStream(stream, authority.error);
      this.#deps.onConnection({
        ...client,
        stream,
        release: () => holder.release(stream),
        authority: authority.value,
        forwarded: headerValue(headers, 'forwarded') ?? '',
      });
      // A client that does not end its side would keep the stream, and with it one of those that a tunnel has.
      if (client.isOverShare) stream.reset(Http2Code.NO_ERROR);
    });
    return holder;
  }

  #log({ peer }: InboundConnection, error: ProxyError): void {
    this.#deps.logger.warn('tunnel refused', { peer: formatAddress(peer.address, peer.port), error: error.message });
  }
}
