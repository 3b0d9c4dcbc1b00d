/** Our connection against node:http2 (nghttp2) over real sockets, both ways round. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { after, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import type { Http2ConnectionEvents } from '../../../src/http2/connection-core.ts';
import type { Header } from '../../../src/http2/header.ts';
import type { Http2Stream } from '../../../src/http2/stream.ts';
import { socketTransport } from '../../../src/http2/transport.ts';
import { Recorder } from './harness.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});
const pool = new BlockPool();

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** Our server; returns a node:http2 client session on it. */
async function nodeClient(onStream: Http2ConnectionEvents['onStream'], settings?: http2.Settings) {
  const connections: Http2Connection[] = [];
  const server = net.createServer((socket) => {
    const events: Http2ConnectionEvents = { onClosed: () => undefined, ...(onStream && { onStream }) };
    connections.push(new Http2Connection(socketTransport(socket), 'server', { clock: systemClock, pool }, events));
  });
  const port = await listen(server);
  const session = http2.connect(`http://127.0.0.1:${port}`, settings === undefined ? {} : { settings });
  closers.push(() => session.destroy());
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  return { session, connections };
}

/** Our client on a node:http2 server. */
async function ourClient(handler: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void) {
  const server = http2.createServer({ settings: { initialWindowSize: 200_000, maxFrameSize: 50_000 } });
  server.on('stream', handler);
  server.on('sessionError', () => undefined);
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  const port = await listen(server as unknown as net.Server);
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const closed: (Error | undefined)[] = [];
  const connection = await new Promise<Http2Connection>((resolve) => {
    const made: Http2Connection = new Http2Connection(
      socketTransport(socket),
      'client',
      { clock: systemClock, pool },
      {
        onClosed: (error) => closed.push(error),
        onSettings: () => resolve(made),
      },
    );
  });
  closers.push(() => connection.destroy());
  return { connection, sessions, closed };
}

class Waiter extends Recorder {
  readonly over: Promise<void>;
  #resolve: () => void = () => undefined;
  writableAgain: (() => void) | undefined;

  constructor(consume = true) {
    super(consume);
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  override onClosed(...args: Parameters<Recorder['onClosed']>): void {
    super.onClosed(...args);
    this.#resolve();
  }

  override onWritable(): void {
    this.writableAgain?.();
  }
}

const CONNECT: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.1.2.3:80'],
  ['baggage', 'k=v'],
  ['x-note', 'caf\xe9 \xa0\xff'],
];

/** Writes `body` in pieces, as fast as the stream takes them, and ends. */
function sendAll(stream: Http2Stream, handler: Waiter, body: Buffer, pieceBytes: number): void {
  let at = 0;
  const more = () => {
    while (at < body.length) {
      const piece = body.subarray(at, at + pieceBytes);
      at += piece.length;
      if (!stream.write(piece)) return;
    }
    handler.writableAgain = undefined;
    stream.end();
  };
  handler.writableAgain = more;
  more();
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('our client tunnels through a node:http2 server, with data both ways and half-close', async () => {
  let seen: http2.IncomingHttpHeaders = {};
  const { connection } = await ourClient((stream, headers) => {
    seen = headers;
    stream.respond({ ':status': 200, 'x-more': 'a'.repeat(100) });
    stream.pipe(stream);
  });
  const body = randomBytes(3_000_001);
  const handler = new Waiter();
  const opened = connection.request(CONNECT, handler);
  assert.ok(opened.ok);
  sendAll(opened.value, handler, body, 70_000);
  await handler.over;
  assert.equal(digest(Buffer.concat(handler.chunks)), digest(body));
  assert.deepEqual(
    [seen[':method'], seen[':authority'], seen['baggage'], handler.closed],
    ['CONNECT', '10.1.2.3:80', 'k=v', [{ kind: 'normal' }]],
  );
  assert.equal(handler.headers[0]?.[0]?.[1], '200');
});

test('a node:http2 client tunnels through our server, also with small windows', async () => {
  for (const settings of [undefined, { initialWindowSize: 1000, maxFrameSize: 16_384, headerTableSize: 100 }]) {
    const handlers: Waiter[] = [];
    const { session } = await nodeClient((stream) => {
      const handler = new Waiter(false);
      handlers.push(handler);
      stream.respond([
        [':status', '200'],
        ['x-repeated', 'value'],
      ]);
      handler.onData = (_stream, chunk) => {
        // Echo; credit returns when the echo could be written.
        const bytes = chunk.length;
        if (stream.write(chunk)) stream.consume(bytes);
        else handler.writableAgain = () => stream.releaseCredit();
      };
      handler.onEnd = () => stream.end();
      return handler;
    }, settings);
    const body = randomBytes(400_000);
    const request = session.request({ ':method': 'CONNECT', ':authority': '10.1.2.3:80' });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.end(body);
    await once(request, 'end');
    assert.equal(digest(Buffer.concat(chunks)), digest(body));
    assert.equal(handlers.length, 1);
  }
});

test('headers of node:http2 with Huffman coding and its dynamic table arrive as they were sent', async () => {
  const seen: (readonly Header[])[] = [];
  const { session } = await nodeClient((stream, headers) => {
    seen.push(headers);
    stream.respond([[':status', '204']], true);
    return new Waiter();
  });
  for (let round = 0; round < 3; round += 1) {
    const all = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('');
    const request = session.request({ ':path': '/p', 'x-all': all, 'x-round': String(round) });
    const [headers] = await once(request, 'response');
    assert.equal(headers[':status'], 204);
    assert.deepEqual(seen[round]?.find(([name]) => name === 'x-all')?.[1], all);
    assert.deepEqual(seen[round]?.find(([name]) => name === 'x-round')?.[1], String(round));
  }
});

test('RST_STREAM of either side arrives with its code', async () => {
  const { connection } = await ourClient((stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  const handler = new Waiter();
  connection.request(CONNECT, handler);
  await handler.over;
  assert.deepEqual(handler.closed, [{ kind: 'reset', by: 'peer', code: 11 }]);
  const { session } = await nodeClient((stream) => {
    stream.reset(13);
    return new Waiter();
  });
  const request = session.request({ ':method': 'CONNECT', ':authority': 'a:1' });
  request.on('error', () => undefined);
  await new Promise((resolve) => request.once('close', resolve));
  assert.equal(request.rstCode, 13);
});

test('graceful GOAWAY of a node:http2 server lets the stream finish and closes the connection', async () => {
  const { connection, sessions, closed } = await ourClient((stream) => {
    stream.respond({ ':status': 200 });
    stream.on('end', () => stream.end('done'));
    stream.resume();
  });
  const handler = new Waiter();
  const opened = connection.request(CONNECT, handler);
  assert.ok(opened.ok);
  await connection.ping();
  sessions[0]?.close();
  await connection.ping();
  assert.equal(connection.acceptsRequests, false);
  opened.value.end();
  await handler.over;
  assert.equal(handler.text, 'done');
  while (closed.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(closed, [undefined]);
});

test('our drain lets a node:http2 client finish its stream', async () => {
  const { session, connections } = await nodeClient((stream) => {
    const handler = new Waiter();
    stream.respond([[':status', '200']]);
    handler.onEnd = () => stream.end(Buffer.from('done'));
    return handler;
  });
  const request = session.request({ ':method': 'CONNECT', ':authority': 'a:1' });
  await once(request, 'response');
  connections[0]?.drain();
  await once(session, 'goaway');
  request.setEncoding('latin1');
  let text = '';
  request.on('data', (chunk) => {
    text += chunk;
  });
  request.end();
  await once(session, 'close');
  assert.equal(text, 'done');
});

test('window and settings changes in mid-stream keep the bytes right', async () => {
  const { connection, sessions } = await ourClient((stream) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  const body = randomBytes(1_500_000);
  const handler = new Waiter();
  const opened = connection.request(CONNECT, handler);
  assert.ok(opened.ok);
  sendAll(opened.value, handler, body, 9_999);
  for (const initialWindowSize of [1_000, 300_000, 0, 65_535]) {
    sessions[0]?.settings({ initialWindowSize });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await handler.over;
  assert.equal(digest(Buffer.concat(handler.chunks)), digest(body));
});
