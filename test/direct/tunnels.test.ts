/** Tunnels between the ends of one ztunnel in this process. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../src/base/clock.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import { HandshakeStream } from '../../src/hbone/handshake-stream.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import { Http2Code } from '../../src/http2/http2-error.ts';
import type { StreamCloseReason } from '../../src/http2/stream.ts';
import { socketTransport } from '../../src/http2/transport.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { connectMeshTls, meshSecureContext } from '../../src/tls/mesh-tls.ts';
import { askSocks, type DirectZtunnel, serveDouble, startDirect } from '../helpers/direct-ztunnel.ts';
import { eventually } from '../helpers/eventually.ts';

const IDENTITY = 'spiffe://cluster.local/ns/default/sa/local' as SpiffeId;
const CONFIG = JSON.stringify({
  workloads: [
    {
      uid: 'c//Pod/default/local',
      name: 'local',
      namespace: 'default',
      serviceAccount: 'local',
      trustDomain: 'cluster.local',
      workloadName: 'local',
      workloadIps: ['127.0.0.1'],
      protocol: 'HBONE',
      services: {},
    },
  ],
  services: [],
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What the handshakes of the connections that are taken back from node:tls ran over, and what it made of them. */
function watchHandshakes(): Disposable & { readonly kept: () => number; readonly all: WeakRef<object>[] } {
  const all: WeakRef<object>[] = [];
  const { takeBack } = HandshakeStream.prototype;
  HandshakeStream.prototype.takeBack = function (this: HandshakeStream, secured: TLSSocket) {
    all.push(new WeakRef(this), new WeakRef(secured));
    return takeBack.call(this, secured);
  };
  return {
    all,
    kept: () => all.filter((one) => one.deref() !== undefined).length,
    [Symbol.dispose]: () => {
      HandshakeStream.prototype.takeBack = takeBack;
    },
  };
}

/** A connection to the tunnel port, of a client that takes header lists up to a size. */
async function openTunnelTo(ztunnel: DirectZtunnel, maxHeaderListBytes: number): Promise<Http2Connection> {
  const tls = { tls12: false, compliancePolicy: '' as const, handshakeTimeoutMs: 5000 };
  const certificate = await new FakeCertificateSource(60_000, systemClock).fetch(IDENTITY);
  const destination = { address: '127.0.0.1', port: ztunnel.handle.dedicatedPorts?.inbound ?? 0 };
  const stream = await dialTcp({ destination });
  const context = meshSecureContext(certificate, tls);
  const secured = await connectMeshTls({ stream, context, identities: [IDENTITY], handshakeTimeoutMs: 5000 });
  if (!secured.ok) throw secured.error;
  return new Http2Connection(
    socketTransport(secured.value.socket),
    'client',
    { clock: systemClock, pool: new BlockPool(), settings: { maxHeaderListBytes } },
    { onClosed: () => undefined },
  );
}

/** A CONNECT request over a tunnel, with some bytes, until its stream is closed. */
async function whatComesOf(
  connection: Http2Connection,
  authority: string,
): Promise<{ readonly events: readonly string[]; readonly reason: StreamCloseReason }> {
  const events: string[] = [];
  const reason = await new Promise<StreamCloseReason>((onClosed) => {
    const opened = connection.request(
      [
        [':method', 'CONNECT'],
        [':authority', authority],
      ],
      {
        onHeaders: () => void events.push('headers'),
        onData: () => void events.push('data'),
        onEnd: () => void events.push('end'),
        onClosed: (_stream, closed) => onClosed(closed),
        onWritable: () => undefined,
      },
    );
    if (!opened.ok) throw opened.error;
    opened.value.write(Buffer.from('hello'));
  });
  return { events, reason };
}

describe('a tunnel', () => {
  it('that is established keeps nothing of its handshake, at neither end', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(CONFIG);
    using handshakes = watchHandshakes();
    assert.equal(await askSocks(ztunnel.socksPort, '127.0.0.1', server.port, 'hello'), 'hellohello');
    assert.equal(handshakes.all.length, 4);
    await eventually('the handshakes are collected', () => {
      collectGarbage();
      return handshakes.kept() === 0;
    });
    assert.equal(await askSocks(ztunnel.socksPort, '127.0.0.1', server.port, 'again'), 'againagain');
    assert.equal(handshakes.all.length, 4, 'the same tunnel is still in use');
  });

  it('whose peer takes no headers has its request reset, instead of data without them', async () => {
    await using server = await serveDouble();
    await using ztunnel = await startDirect(CONFIG);
    const connection = await openTunnelTo(ztunnel, 1);
    const { events, reason } = await whatComesOf(connection, `127.0.0.1:${server.port}`);
    assert.deepEqual(reason, { kind: 'reset', by: 'peer', code: Http2Code.INTERNAL_ERROR });
    assert.deepEqual(events, []);
    await eventually('it is reported', () =>
      ztunnel.log.some((line) => line.includes('answer to CONNECT cannot be sent')),
    );
    connection.destroy();
  });

  it('whose peer takes no headers has a request that is refused reset as well, instead of left open', async () => {
    await using ztunnel = await startDirect(CONFIG);
    const connection = await openTunnelTo(ztunnel, 1);
    const { events, reason } = await whatComesOf(connection, '192.0.2.1:80');
    assert.deepEqual(reason, { kind: 'reset', by: 'peer', code: Http2Code.INTERNAL_ERROR });
    assert.deepEqual(events, []);
    connection.destroy();
  });
});
