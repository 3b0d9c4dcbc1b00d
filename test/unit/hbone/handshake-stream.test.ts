import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, describe, it } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { RecordMemory } from '../../../src/hbone/record-memory.ts';
import { RecordTransport } from '../../../src/hbone/record-transport.ts';
import {
  acceptedTunnelStream,
  tunnelReading,
  tunnelStream,
  tunnelTransport,
} from '../../../src/hbone/tunnel-stream.ts';
import type { ByteTransport } from '../../../src/http2/transport.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import type { SpiffeId } from '../../../src/model/spiffe.ts';
import { dialTcp } from '../../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../../src/net/tcp-listener.ts';
import { connectMeshTls, type MeshTlsOptions, MeshTlsServer, meshSecureContext } from '../../../src/tls/mesh-tls.ts';
import { eventually } from '../../helpers/eventually.ts';
import { RecordingSink } from '../../helpers/secure-pair.ts';
import { createTestCa, testSpiffeId, workloadCertificate } from '../../helpers/test-ca.ts';
import { HANDSHAKE, TestRecords, type TestSuite } from '../../helpers/tls-records.ts';

const OPTIONS: MeshTlsOptions = { tls12: false, compliancePolicy: '', handshakeTimeoutMs: 300 };
const ca = createTestCa();
const SERVER = testSpiffeId('default', 'server') as SpiffeId;
const CLIENT = testSpiffeId('default', 'client') as SpiffeId;
const serverLeaf = ca.leaf({ uri: SERVER });
const clientLeaf = ca.leaf({ uri: CLIENT });
const CLIENT_OPTIONS = {
  key: clientLeaf.keyPem,
  cert: clientLeaf.chainPem,
  ca: ca.rootPem,
  ALPNProtocols: ['h2'],
  checkServerIdentity: () => undefined,
};

/** What a handshake came to, and what was read behind it. */
interface Accepted {
  readonly error: string | undefined;
  readonly transport: ByteTransport | undefined;
  readonly sink: RecordingSink;
}

const listeners: { close(): unknown }[] = [];
after(() => {
  for (const listener of listeners) listener.close();
});

interface Served {
  readonly accepted: Promise<Accepted>;
  readonly port: number;
}

/** Listens for one connection. @param own whether records are to be ours behind the handshake */
async function serve(own: boolean, options: MeshTlsOptions = OPTIONS): Promise<Served> {
  const tls = new MeshTlsServer(workloadCertificate(serverLeaf), 'cluster.local', options);
  let settle: (accepted: Accepted) => void = () => undefined;
  const accepted = new Promise<Accepted>((resolve) => {
    settle = resolve;
  });
  const listener = await listenTcp(
    { endpoint: { address: '127.0.0.1', port: 0 } },
    {
      onConnection: (connection) => {
        const stream = acceptedTunnelStream(connection, own ? new RecordMemory() : undefined);
        const sink = new RecordingSink();
        tls.accept(stream, (result) => {
          if (!result.ok) return settle({ error: result.error.message, transport: undefined, sink });
          void tunnelTransport(stream, result.value.socket).then((transport) => {
            transport.start(sink);
            settle({ error: undefined, transport, sink });
          });
        });
      },
    },
  );
  listeners.push(listener);
  return { accepted, port: listener.endpoint.port };
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Lends a socket to node:tls, with what it writes on its way changed by `change`. */
function changedStream(socket: Socket, change: (bytes: Buffer, send: (bytes: Buffer) => void) => unknown): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      change(chunk, (bytes) => socket.write(bytes));
      done();
    },
    final: (done) => {
      socket.end();
      done();
    },
  });
  socket.on('data', (chunk) => stream.push(chunk));
  socket.on('end', () => stream.push(null));
  socket.on('close', () => stream.destroy());
  return stream;
}

function clientOver(socket: Duplex): TLSSocket {
  return connectTls({ ...CLIENT_OPTIONS, socket }).on('error', () => undefined);
}

function record(type: number, content: Uint8Array, length = content.length): Buffer {
  return Buffer.concat([Buffer.of(type, 3, 1, length >> 8, length & 0xff), content]);
}

describe('a handshake over a connection that is taken back', () => {
  it('fails as it does over one that is not, with the same words', async () => {
    const failures: Readonly<Record<string, (socket: Socket) => unknown>> = {
      'says nothing': () => undefined,
      'leaves at once': (socket) => socket.end(),
      'resets the connection': (socket) => socket.resetAndDestroy(),
      'speaks HTTP': (socket) => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
      'sends garbage': (socket) => socket.write(Buffer.alloc(5000, 0xa5)),
      'sends a record of 64 KiB': (socket) => socket.write(record(22, Buffer.alloc(65_535, 1))),
      'sends an empty record': (socket) => socket.end(record(22, Buffer.alloc(0))),
      'sends a message that does not exist': (socket) => socket.write(record(22, Buffer.of(99, 0, 0, 1, 0))),
      'sends an alert': (socket) => socket.write(record(21, Buffer.of(2, 48))),
      'leaves in the middle': (socket) => socket.end(record(22, Buffer.of(1, 0, 0, 100), 500)),
      'has no certificate': (socket) => connectTls({ ...CLIENT_OPTIONS, key: undefined, cert: undefined, socket }),
      'has a certificate of another authority': (socket) => {
        const { keyPem: key, chainPem: cert } = createTestCa().leaf({ uri: CLIENT });
        connectTls({ ...CLIENT_OPTIONS, key, cert, socket }).on('error', () => undefined);
      },
      'knows TLS 1.2 only': (socket) =>
        connectTls({ ...CLIENT_OPTIONS, socket, maxVersion: 'TLSv1.2' }).on('error', () => undefined),
      'knows other suites only': (socket) =>
        connectTls({ ...CLIENT_OPTIONS, socket, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }).on('error', () => undefined),
    };
    for (const [what, fail] of Object.entries(failures)) {
      const words: (string | undefined)[] = [];
      for (const own of [false, true]) {
        const { accepted, port } = await serve(own);
        const socket = await dial(port);
        fail(socket);
        words.push((await accepted).error?.replace(/[0-9A-F]{16}:|:\d+:/g, ''));
        socket.destroy();
      }
      assert.ok(words[0] !== undefined, what);
      assert.equal(words[1], words[0], `a client that ${what}`);
    }
  });

  it('is done when its bytes are cut anywhere, and what follows it is read', async () => {
    for (const length of [1, 3, 100, 1000]) {
      const { accepted, port } = await serve(true, { ...OPTIONS, handshakeTimeoutMs: 10_000 });
      const socket = await dial(port);
      const queue: Buffer[] = [];
      let sending = false;
      const stream = changedStream(socket, async (bytes, send) => {
        for (let at = 0; at < bytes.length; at += length) queue.push(Buffer.from(bytes.subarray(at, at + length)));
        if (sending) return;
        sending = true;
        for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
          send(piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
        sending = false;
      });
      const client = clientOver(stream);
      client.write('first words');
      const { transport, sink, error } = await accepted;
      assert.ok(transport instanceof RecordTransport, error);
      await eventually('the words', () => sink.bytes.toString() === 'first words');
      const heard = once(client, 'data');
      transport.write(Buffer.from('answer'), () => undefined);
      assert.equal(String((await heard)[0]), 'answer');
      socket.destroy();
      transport.destroy();
      await sink.closed;
    }
  });

  it('may come in one segment with the data behind it, and with the end of the connection', async () => {
    for (const isEnded of [false, true]) {
      const { accepted, port } = await serve(true);
      const socket = await dial(port);
      const held: Buffer[] = [];
      let hello = true;
      const stream = changedStream(socket, (bytes, send) => {
        if (hello) send(bytes);
        else held.push(Buffer.from(bytes));
        hello = false;
      });
      const client = clientOver(stream);
      await once(client, 'secureConnect');
      client.write('words');
      await eventually('records', () => held.length >= 2);
      socket.write(Buffer.concat(held));
      if (isEnded) socket.end();
      const { transport, sink } = await accepted;
      assert.ok(transport instanceof RecordTransport);
      await eventually('the words', () => sink.bytes.toString() === 'words');
      if (isEnded) await eventually('the end', () => sink.ended);
      else socket.destroy();
      transport.end();
      await sink.closed;
    }
  });

  it('stays with node:tls once that was handed more than one record at a time', async () => {
    const { accepted, port } = await serve(true);
    const socket = await dial(port);
    let hello = true;
    const stream = changedStream(socket, (bytes, send) => {
      // An empty record, which OpenSSL bears, is none that is known here.
      send(hello ? Buffer.concat([record(22, Buffer.alloc(0)), bytes]) : bytes);
      hello = false;
    });
    const client = clientOver(stream);
    client.write('words');
    const { transport, sink, error } = await accepted;
    assert.equal(error, undefined);
    assert.ok(!(transport instanceof RecordTransport));
    await eventually('the words', () => sink.bytes.toString() === 'words');
    const heard = once(client, 'data');
    transport?.write(Buffer.from('answer'), () => undefined);
    assert.equal(String((await heard)[0]), 'answer');
    socket.destroy();
    await sink.closed;
  });

  it('stays with node:tls when TLS 1.2 was agreed on', async () => {
    const { accepted, port } = await serve(true, { ...OPTIONS, tls12: true });
    const socket = await dial(port);
    const client = connectTls({ ...CLIENT_OPTIONS, socket, maxVersion: 'TLSv1.2' }).on('error', () => undefined);
    client.write('words');
    const { transport, sink } = await accepted;
    assert.ok(!(transport instanceof RecordTransport));
    await eventually('the words', () => sink.bytes.toString() === 'words');
    socket.destroy();
    await sink.closed;
  });

  it('leaves no nonce to be used twice: all that a server wrote opens in turn, its tickets first', async () => {
    const { accepted, port } = await serve(true);
    const socket = await dial(port);
    const wire: Buffer[] = [];
    socket.on('data', (chunk) => wire.push(Buffer.from(chunk)));
    const client = clientOver(changedStream(socket, (bytes, send) => send(bytes)));
    let secret = '';
    client.on('keylog', (line: Buffer) => {
      secret = /^SERVER_TRAFFIC_SECRET_0 \S+ ([0-9a-f]+)/.exec(line.toString())?.[1] ?? secret;
    });
    const { transport, sink } = await accepted;
    const heard = once(client, 'data');
    transport?.write(Buffer.from('one'), () => undefined);
    await heard;
    transport?.end();
    await once(socket, 'close');
    await sink.closed;
    const suite = client.getCipher()?.standardName ?? 'TLS_AES_256_GCM_SHA384';
    const records = new TestRecords(suite as TestSuite, Buffer.from(secret, 'hex'));
    const bytes = Buffer.concat(wire);
    const first = firstOf(bytes, suite as TestSuite, Buffer.from(secret, 'hex'));
    const opened = records.openAll(bytes.subarray(first));
    assert.deepEqual(
      opened.filter(({ type }) => type !== HANDSHAKE).map(({ type, content }) => [type, content.toString('latin1')]),
      [
        [23, 'one'],
        [21, '\x01\0'],
      ],
    );
    assert.equal(Number(records.sequence), opened.length);
  });
});

/** Where the records begin that are protected by a secret. */
function firstOf(bytes: Buffer, suite: TestSuite, secret: Buffer): number {
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    try {
      new TestRecords(suite, secret).open(bytes.subarray(at, at + 5 + bytes.readUInt16BE(at + 3)));
      return at;
    } catch {
      // A record of the handshake, with the keys of that.
    }
  }
  throw new Error('no record opens');
}

describe('a client whose connection is taken back', () => {
  async function clientTunnel(serverOptions: TlsOptions = {}) {
    const accepted = { socket: undefined as TLSSocket | undefined };
    const server = createTlsServer({
      key: serverLeaf.keyPem,
      cert: serverLeaf.chainPem,
      ca: ca.rootPem,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...serverOptions,
    });
    server.on('secureConnection', (socket) => {
      accepted.socket = socket.on('error', () => undefined);
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    listeners.push(server);
    const reading = tunnelReading(new RecordMemory());
    assert.ok(reading);
    const destination = { address: '127.0.0.1' as IpAddress, port: (server.address() as AddressInfo).port };
    const socket = await dialTcp({ destination, readInto: reading.intake.onread });
    const stream = tunnelStream(socket, reading, 'client');
    const context = meshSecureContext(workloadCertificate(clientLeaf), OPTIONS);
    const result = await connectMeshTls({
      stream,
      context,
      identities: [SERVER],
      handshakeTimeoutMs: 2000,
    });
    assert.ok(result.ok, result.ok ? '' : result.error.message);
    return { stream, socket, secured: result.value.socket, accepted };
  }

  it('reads what the server says first, behind its tickets', async () => {
    const { stream, secured, accepted } = await clientTunnel();
    await eventually('the server', () => accepted.socket !== undefined);
    accepted.socket?.write('hello');
    const transport = await tunnelTransport(stream, secured);
    assert.ok(transport instanceof RecordTransport);
    const sink = new RecordingSink();
    transport.start(sink);
    await eventually('the greeting', () => sink.bytes.toString() === 'hello');
    const heard = accepted.socket && once(accepted.socket, 'data');
    transport.write(Buffer.from('answer'), () => undefined);
    assert.equal(String((await heard)?.[0]), 'answer');
    transport.destroy();
    await sink.closed;
  });

  it('uses no nonce again that node:tls used before, which it does where it ends its side at once', async () => {
    const { stream, secured, accepted } = await clientTunnel();
    secured.write('first ');
    const transport = await tunnelTransport(stream, secured);
    assert.ok(transport instanceof RecordTransport);
    await eventually('the server', () => accepted.socket !== undefined);
    const heard: Buffer[] = [];
    accepted.socket?.on('data', (chunk: Buffer) => heard.push(chunk));
    const sink = new RecordingSink();
    transport.start(sink);
    transport.write(Buffer.from('second'), () => undefined);
    await eventually('both records', () => Buffer.concat(heard).toString() === 'first second');
    transport.destroy();
    await sink.closed;
  });

  it('is lost while it is taken back, which ends the transport and not the process', async () => {
    for (const error of [undefined, new Error('read ECONNRESET')]) {
      const { stream, socket, secured } = await clientTunnel();
      const taken = tunnelTransport(stream, secured);
      socket.destroy(error);
      const transport = await taken;
      const sink = new RecordingSink();
      transport.start(sink);
      assert.equal((await sink.closed)?.message, error?.message);
    }
  });

  it('waits with the take-over until the last bytes of the handshake are written', async () => {
    const { stream, socket, secured } = await clientTunnel();
    const write = socket.write.bind(socket);
    let release: () => void = () => undefined;
    socket.write = (chunk: Uint8Array | string, done: unknown) => {
      release = () => void write(chunk, done as () => void);
      return false;
    };
    stream.write('last words');
    let isTaken = false;
    const taken = tunnelTransport(stream, secured).then((transport) => {
      isTaken = true;
      return transport;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isTaken, false);
    release();
    (await taken).destroy();
  });
});
