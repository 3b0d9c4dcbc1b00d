/** Either end of a tunnel connection that writes any bytes: mutual TLS is in order, HTTP/2 is the test's. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import { parseSpiffeId, type SpiffeId } from '../../src/model/spiffe.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import type { WorkloadCertificate } from '../../src/pki/workload-certificate.ts';
import { connectMeshTls, MeshTlsServer, meshSecureContext } from '../../src/tls/mesh-tls.ts';
import type { LabPod } from './netns.ts';

const TLS = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 10_000 };
const HOUR_MS = 3_600_000;
const GOAWAY = 7;
const VERDICT_MS = 3000;

/** A certificate that `FAKE_CA` proxies trust. */
export function fakeCertificate(identity: string): Promise<WorkloadCertificate> {
  return new FakeCertificateSource(HOUR_MS, systemClock).fetch(identity as SpiffeId);
}

/** What the other side made of a connection. */
export interface Verdict {
  readonly ended: boolean;
  readonly goaway: number | undefined;
}

export class RawTunnel {
  readonly #socket: Socket;
  readonly #raw: Socket;
  /** The code of the GOAWAY that came. */
  goaway: number | undefined;
  #unread: Buffer = Buffer.alloc(0);
  #closed = false;
  readonly #closing: Promise<void>;

  /** @param raw the TCP connection under `socket` */
  constructor(socket: Socket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => socket.end());
    this.#closing = new Promise((resolve) => {
      socket.on('close', () => {
        this.#closed = true;
        resolve();
      });
    });
  }

  /** Whether the other side wants no more, or is gone. */
  get over(): boolean {
    return this.#closed || this.goaway !== undefined;
  }

  /** Resolves when the bytes are on their way, or never will be. */
  write(bytes: Buffer): Promise<void> {
    if (this.#closed || !this.#socket.writable) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Resolves when the connection has ended. */
  ended(): Promise<void> {
    return this.#closing;
  }

  /** Waits for the other side to end the connection, bounded. @returns whether it did, and with which GOAWAY */
  async verdict(): Promise<Verdict> {
    await Promise.race([this.#closing, delay(VERDICT_MS)]);
    const ended = this.#closed;
    this.#socket.destroy();
    return { ended, goaway: this.goaway };
  }

  /** Ends the connection by a TCP reset. */
  reset(): void {
    this.#raw.resetAndDestroy();
  }

  #read(chunk: Buffer): void {
    let bytes: Buffer = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      if (bytes[3] === GOAWAY) this.goaway = bytes.readUInt32BE(13);
      bytes = bytes.subarray(9 + length);
    }
    this.#unread = bytes;
  }
}

export interface RawTunnelOptions {
  readonly certificate: WorkloadCertificate;
  readonly address: string;
  readonly serverIdentity: string;
}

/** Opens a tunnel connection from the pod: TLS and nothing else. */
export async function openRawTunnel(pod: LabPod, options: RawTunnelOptions): Promise<RawTunnel> {
  const { address, certificate, serverIdentity } = options;
  const stream = await dialTcp({ destination: { address, port: 15008 }, netnsFd: pod.fd, timeoutMs: 10_000 });
  stream.on('error', () => undefined);
  const secured = await connectMeshTls({
    stream,
    context: meshSecureContext(certificate, TLS),
    identities: [serverIdentity as SpiffeId],
    handshakeTimeoutMs: TLS.handshakeTimeoutMs,
  });
  if (!secured.ok) throw secured.error;
  return new RawTunnel(secured.value.socket, stream);
}

/** Accepts tunnel connections in the pod and hands them to `onTunnel` after TLS. */
export async function serveRawTunnels(
  pod: LabPod,
  certificate: WorkloadCertificate,
  onTunnel: (tunnel: RawTunnel) => void,
): Promise<Disposable> {
  const mesh = new MeshTlsServer(certificate, parseSpiffeId(certificate.identity)?.trustDomain ?? '', TLS);
  const sockets = new Set<Socket>();
  const listener = await listenTcp(
    { endpoint: { address: '0.0.0.0', port: 15008 }, netnsFd: pod.fd },
    {
      onConnection: (connection) => {
        const socket = connection.open();
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => sockets.delete(socket));
        mesh.accept(socket, (result) => {
          if (result.ok) onTunnel(new RawTunnel(result.value.socket, socket));
        });
      },
    },
  );
  return {
    [Symbol.dispose]: () => {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
