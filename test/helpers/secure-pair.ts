/** Two ends of a mesh connection on loopback, each with the TLS that a test chooses. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { RecordMemory } from '../../src/hbone/record-memory.ts';
import type { TunnelReading } from '../../src/hbone/record-transport.ts';
import { tunnelReading, tunnelStream, tunnelTransport } from '../../src/hbone/tunnel-stream.ts';
import type { ByteTransport, TransportSink } from '../../src/http2/transport.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import type { WorkloadCertificate } from '../../src/pki/workload-certificate.ts';
import { connectMeshTls, type MeshTlsOptions, MeshTlsServer, meshSecureContext } from '../../src/tls/mesh-tls.ts';
import { createTestCa, testSpiffeId, workloadCertificate } from './test-ca.ts';

const OPTIONS: MeshTlsOptions = { tls12: false, compliancePolicy: '', handshakeTimeoutMs: 5000 };
const ca = createTestCa();
const SERVER = testSpiffeId('default', 'server') as SpiffeId;
const CLIENT = testSpiffeId('default', 'client') as SpiffeId;

const certificateOf = (uri: string): WorkloadCertificate => workloadCertificate(ca.leaf({ uri }));

/** One end: the TCP connection, what node:tls made of it, and the transport over it. */
export interface SecureEnd {
  readonly socket: Socket;
  readonly secured: TLSSocket;
  readonly transport: ByteTransport;
}

/** `own`: records of ambit behind the handshake. */
export type TlsKind = 'own' | 'node';

/** @returns the client's end and the server's */
export async function securePair(client: TlsKind, server: TlsKind): Promise<[SecureEnd, SecureEnd]> {
  const tls = new MeshTlsServer(certificateOf(SERVER), 'cluster.local', OPTIONS);
  let accepted: (end: Promise<SecureEnd>) => void;
  const serverEnd = new Promise<SecureEnd>((resolve) => {
    accepted = resolve;
  });
  const listener = await listenTcp(
    { endpoint: { address: '127.0.0.1', port: 0 } },
    {
      onConnection: (connection) => {
        const reading = readingOf(server);
        const socket = connection.open(reading?.intake.onread);
        if (reading === undefined) socket.pause();
        const stream = tunnelStream(socket, reading, 'server');
        tls.accept(stream, (result) => {
          if (!result.ok) return accepted(Promise.reject(result.error));
          const secured = result.value.socket;
          accepted(tunnelTransport(stream, secured).then((transport) => ({ socket, secured, transport })));
        });
      },
    },
  );
  const reading = readingOf(client);
  const socket = await dialTcp({
    destination: { address: '127.0.0.1', port: listener.endpoint.port },
    ...(reading && { readInto: reading.intake.onread }),
  });
  const stream = tunnelStream(socket, reading, 'client');
  const context = meshSecureContext(certificateOf(CLIENT), OPTIONS);
  const identities = [SERVER];
  const result = await connectMeshTls({ stream, context, identities, handshakeTimeoutMs: 5000 });
  if (!result.ok) throw result.error;
  const secured = result.value.socket;
  const clientEnd = { socket, secured, transport: await tunnelTransport(stream, secured) };
  const ends: [SecureEnd, SecureEnd] = [clientEnd, await serverEnd];
  listener.close();
  return ends;
}

function readingOf(kind: TlsKind): TunnelReading | undefined {
  return tunnelReading(kind === 'own' ? new RecordMemory() : undefined);
}

/** Keeps what a transport brings. */
export class RecordingSink implements TransportSink {
  readonly chunks: Buffer[] = [];
  ended = false;
  /** Resolves with the reason when the transport closed. */
  readonly closed: Promise<Error | undefined>;
  readonly onClosed: (error: Error | undefined) => void;

  constructor() {
    let settle: (error: Error | undefined) => void = () => undefined;
    this.closed = new Promise((resolve) => {
      settle = resolve;
    });
    this.onClosed = (error) => settle(error);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onData(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onEnd(): void {
    this.ended = true;
  }
}
