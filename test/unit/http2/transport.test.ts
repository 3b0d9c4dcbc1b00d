import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import tls from 'node:tls';
import { systemClock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import { socketTransport } from '../../../src/http2/transport.ts';
import { createTestCa } from '../../helpers/test-ca.ts';
import { CONNECT, Recorder } from './harness.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}

test('a connection over mutual TLS 1.3 carries data and hears of the loss of its peer', async () => {
  const ca = createTestCa();
  const leaf = ca.leaf();
  const credentials = { ca: ca.rootPem, cert: leaf.chainPem, key: leaf.keyPem, minVersion: 'TLSv1.3' as const };
  const options = { clock: systemClock, pool: new BlockPool() };
  const [inner, closed]: [tls.TLSSocket[], (string | undefined)[]] = [[], []];
  const server = tls.createServer({ ...credentials, requestCert: true, ALPNProtocols: ['h2'] }, (socket) => {
    inner.push(socket);
    new Http2Connection(socketTransport(socket), 'server', options, {
      onStream(stream) {
        stream.respond([[':status', '200']]);
        const handler = new Recorder();
        handler.onData = (_stream, chunk) => {
          stream.consume(chunk.length);
          stream.write(chunk);
        };
        return handler;
      },
      onClosed: () => undefined,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const checkServerIdentity = () => undefined;
  const socket = tls.connect({ ...credentials, port, host: '127.0.0.1', ALPNProtocols: ['h2'], checkServerIdentity });
  await once(socket, 'secureConnect');
  const client = new Http2Connection(socketTransport(socket), 'client', options, {
    onClosed: (error) => closed.push(error?.code),
  });
  const handler = new Recorder();
  const opened = client.request(CONNECT, handler);
  assert.ok(opened.ok);
  const message = Buffer.alloc(200_000, 'm');
  opened.value.write(message);
  await until(() => handler.text.length === message.length);
  assert.equal(handler.text, message.toString());
  inner[0]?.destroy();
  await until(() => closed.length === 1);
  assert.deepEqual([closed, handler.closed.map((reason) => reason.kind)], [['HTTP2_TRANSPORT_LOST'], ['lost']]);
});

test('a large chunk is freed when nothing refers to it any more, and only then', async () => {
  const server = createServer((socket) => socket.on('data', (chunk) => socket.write(chunk))).listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  closers.push(() => socket.destroy());
  const transport = socketTransport(socket);
  const chunks: Buffer[] = [];
  let keeps = true;
  let received = 0;
  transport.start({
    onData: (chunk) => {
      received += chunk.length;
      chunks.push(chunk);
    },
    keepsLast: () => keeps,
    onEnd: () => undefined,
    onClosed: () => undefined,
  });
  const message = Buffer.alloc(32_768, 'm');
  transport.write(message, () => undefined);
  await until(() => received === message.length);
  assert.equal(Buffer.concat(chunks.splice(0)).toString(), message.toString());
  keeps = false;
  transport.write(message, () => undefined);
  await until(() => received === 2 * message.length);
  assert.equal(
    chunks.every((chunk) => chunk.length === 0 || chunk.length < 8192),
    true,
  );
  assert.ok(chunks.some((chunk) => chunk.length === 0));
});

test('a socket that is already gone closes the connection', async () => {
  const socket = tls.connect({ port: 1, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  const closed: unknown[] = [];
  const options = { clock: systemClock, pool: new BlockPool() };
  const connection = new Http2Connection(socketTransport(socket), 'client', options, {
    onClosed: (error) => closed.push(error),
  });
  await until(() => connection.closed);
  assert.equal(closed.length, 1);
});
