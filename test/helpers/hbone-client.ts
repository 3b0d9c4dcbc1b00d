/** A raw tunnel client for tests: any identity, any authority, from any pod. */
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import type { Header } from '../../src/http2/header.ts';
import { socketTransport } from '../../src/http2/transport.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { connectMeshTls, meshSecureContext } from '../../src/tls/mesh-tls.ts';
import type { LabPod } from './netns.ts';

export interface HboneReply {
  readonly status: string;
  readonly headers: readonly Header[];
  readonly body: string;
}

export interface HboneClient extends Disposable {
  readonly connection: Http2Connection;
  /** One request; for an accepted tunnel `text` is sent, the side ended, and the answer read to its end. */
  request(headers: readonly Header[], text?: string): Promise<HboneReply>;
  /** CONNECT to an authority. */
  connect(authority: string, text?: string): Promise<HboneReply>;
  /** CONNECT, `text`, and the own side stays open until the other one ended: for servers that give up on a FIN. */
  ask(authority: string, text: string): Promise<HboneReply>;
}

export interface HboneClientOptions {
  readonly identity: string;
  readonly address: string;
  readonly port?: number;
  readonly serverIdentity: string;
  readonly lifetimeMs?: number;
}

/** Opens a tunnel connection from the pod. Rejects when TLS does not come up. */
export async function openHbone(pod: LabPod, options: HboneClientOptions): Promise<HboneClient> {
  const source = new FakeCertificateSource(options.lifetimeMs ?? 60_000, systemClock);
  const certificate = await source.fetch(options.identity as SpiffeId);
  const tls = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 5000 };
  const stream = await dialTcp({
    destination: { address: options.address, port: options.port ?? 15008 },
    netnsFd: pod.fd,
    mark: 1337,
    timeoutMs: 5000,
  });
  stream.on('error', () => undefined);
  const secured = await connectMeshTls({
    stream,
    context: meshSecureContext(certificate, tls),
    identities: [options.serverIdentity as SpiffeId],
    handshakeTimeoutMs: 5000,
  });
  if (!secured.ok) throw secured.error;
  const connection = new Http2Connection(
    socketTransport(secured.value.socket),
    'client',
    { clock: systemClock, pool: new BlockPool() },
    { onClosed: () => undefined },
  );
  const request = (headers: readonly Header[], text?: string) => exchange(connection, headers, text);
  return {
    connection,
    request,
    connect: (authority, text) =>
      request(
        [
          [':method', 'CONNECT'],
          [':authority', authority],
        ],
        text,
      ),
    ask: (authority, text) =>
      exchange(
        connection,
        [
          [':method', 'CONNECT'],
          [':authority', authority],
        ],
        text,
        true,
      ),
    [Symbol.dispose]: () => connection.destroy(),
  };
}

function exchange(
  connection: Http2Connection,
  headers: readonly Header[],
  text?: string,
  keepOpen = false,
): Promise<HboneReply> {
  return new Promise((resolve, reject) => {
    let answer: readonly Header[] = [];
    let body = '';
    const status = () => answer.find(([name]) => name === ':status')?.[1] ?? '';
    const opened = connection.request(headers, {
      onHeaders(stream, received, endStream) {
        answer = received;
        const bytes = text === undefined || endStream ? undefined : Buffer.from(text);
        if (keepOpen && bytes !== undefined) stream.write(bytes);
        else stream.end(bytes);
      },
      onData(stream, chunk) {
        body += chunk.toString();
        stream.consume(chunk.length);
      },
      onEnd: (stream) => stream.end(),
      onWritable: () => undefined,
      onClosed(_stream, reason) {
        if (answer.length === 0) reject(new Error(`no answer: ${reason.kind}`));
        else resolve({ status: status(), headers: answer, body });
      },
    });
    if (!opened.ok) reject(opened.error);
  });
}
