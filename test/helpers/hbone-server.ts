/** A raw tunnel server for tests, in the place of a waypoint or a network gateway: it records who asked for what. */
import type { Socket } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import type { Header } from '../../src/http2/header.ts';
import { relay } from '../../src/http2/relay.ts';
import type { Http2Stream, StreamHandler } from '../../src/http2/stream.ts';
import { StreamHolder } from '../../src/http2/stream-holder.ts';
import { socketTransport } from '../../src/http2/transport.ts';
import { parseSpiffeId, type SpiffeId } from '../../src/model/spiffe.ts';
import type { InboundConnection } from '../../src/net/inbound-connection.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { type MeshPeer, MeshTlsServer } from '../../src/tls/mesh-tls.ts';
import type { LabPod } from './netns.ts';

/** A CONNECT request as it came. */
export interface RecordedConnect {
  readonly authority: string;
  readonly headers: ReadonlyMap<string, string>;
  /** The identity that the client proved. */
  readonly peer: string;
  readonly peerAddress: string;
}

/** What happens at each step; `echo` unless told. */
export type HboneBehaviour =
  /** 200, then every chunk comes back as `via <name> <authority>: <chunk>`. */
  | { readonly kind: 'echo' }
  /** 200, and the bytes go to this address, as a network gateway sends them on. */
  | { readonly kind: 'forward'; readonly address: string; readonly port: number }
  /** An answer of this status and nothing else. */
  | { readonly kind: 'status'; readonly status: string }
  /** The TCP connection is reset when the first bytes of the handshake arrive. */
  | { readonly kind: 'reset-handshake' }
  /** The connection is reset when the request arrived. */
  | { readonly kind: 'reset-request' }
  /** 200, then the connection is reset when the first data arrived. */
  | { readonly kind: 'reset-data' };

export interface HboneServerOptions {
  readonly identity: string;
  readonly port?: number;
  readonly behaviour?: HboneBehaviour;
}

export interface HboneServer extends AsyncDisposable {
  readonly requests: RecordedConnect[];
  /** TLS connections that came up. */
  readonly tunnels: number;
  /** May be changed between requests. */
  behaviour: HboneBehaviour;
}

/** Serves tunnels in the pod. */
export async function serveHbone(pod: LabPod, options: HboneServerOptions): Promise<HboneServer> {
  const server = new Server(pod, options);
  await server.start();
  return server;
}

class Server implements HboneServer {
  readonly requests: RecordedConnect[] = [];
  tunnels = 0;
  behaviour: HboneBehaviour;
  readonly #pod: LabPod;
  readonly #options: HboneServerOptions;
  readonly #sockets = new Set<Socket>();
  #close: (() => void) | undefined;

  constructor(pod: LabPod, options: HboneServerOptions) {
    this.#pod = pod;
    this.#options = options;
    this.behaviour = options.behaviour ?? { kind: 'echo' };
  }

  async start(): Promise<void> {
    const { identity, port = 15008 } = this.#options;
    const certificate = await new FakeCertificateSource(3_600_000, systemClock).fetch(identity as SpiffeId);
    const tls = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 5000 };
    const mesh = new MeshTlsServer(certificate, parseSpiffeId(identity)?.trustDomain ?? '', tls);
    const listener = await listenTcp(
      { endpoint: { address: '::', port }, netnsFd: this.#pod.fd },
      { onConnection: (connection) => this.#accept(mesh, connection) },
    );
    this.#close = () => listener.close();
  }

  #accept(mesh: MeshTlsServer, connection: InboundConnection): void {
    const socket = connection.open();
    socket.on('error', () => undefined);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.behaviour.kind === 'reset-handshake') {
      socket.once('data', () => socket.resetAndDestroy());
      return;
    }
    mesh.accept(socket, (result) => {
      if (!result.ok) return;
      this.tunnels++;
      this.#serve(socket, connection, result.value);
    });
  }

  #serve(raw: Socket, connection: InboundConnection, { socket, peer }: MeshPeer): void {
    new Http2Connection(
      socketTransport(socket),
      'server',
      { clock: systemClock, pool: new BlockPool() },
      {
        onStream: (stream, headers) => {
          const map = new Map(headers);
          const authority = map.get(':authority') ?? '';
          this.requests.push({ authority, headers: map, peer: peer.id, peerAddress: connection.peer.address });
          return this.#handle(raw, stream, headers, authority);
        },
        onClosed: () => undefined,
      },
    );
  }

  #handle(raw: Socket, stream: Http2Stream, _headers: readonly Header[], authority: string): StreamHandler {
    const { behaviour } = this;
    const { name } = this.#pod;
    if (behaviour.kind === 'forward') return this.#forward(stream, behaviour);
    queueMicrotask(() => {
      if (behaviour.kind === 'reset-request') raw.resetAndDestroy();
      else if (behaviour.kind === 'status') stream.respond([[':status', behaviour.status]], true);
      else stream.respond([[':status', '200']]);
    });
    return {
      onHeaders: () => undefined,
      onData: (_, chunk) => {
        stream.consume(chunk.length);
        if (behaviour.kind === 'reset-data') raw.resetAndDestroy();
        else stream.write(Buffer.from(`via ${name} ${authority}: ${chunk.toString()}`));
      },
      onEnd: () => stream.end(),
      onWritable: () => undefined,
      onClosed: () => undefined,
    };
  }

  #forward(stream: Http2Stream, { address, port }: { readonly address: string; readonly port: number }): StreamHandler {
    const holder = new StreamHolder(() => undefined);
    const dialled = dialTcp({ destination: { address, port }, netnsFd: this.#pod.fd, mark: 1337, timeoutMs: 5000 });
    void dialled.then(
      (socket) => {
        this.#sockets.add(socket);
        stream.respond([[':status', '200']]);
        relay(socket, stream, { bytesFromSocket: 0, bytesToSocket: 0 }, () => this.#sockets.delete(socket), {
          socketSide: 'destination',
        });
        holder.release(stream);
      },
      () => stream.respond([[':status', '503']], true),
    );
    return holder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close?.();
    for (const socket of this.#sockets) socket.destroy();
  }
}
