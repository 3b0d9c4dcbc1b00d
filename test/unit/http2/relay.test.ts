import assert from 'node:assert/strict';
import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import { relay } from '../../../src/http2/relay.ts';
import { SocketIntake } from '../../../src/http2/socket-intake.ts';
import { Http2Stream } from '../../../src/http2/stream.ts';
import { streamDuplex } from '../../../src/http2/stream-duplex.ts';
import { StreamHolder } from '../../../src/http2/stream-holder.ts';
import { socketTransport } from '../../../src/http2/transport.ts';
import { CONNECT, Recorder } from './harness.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** The code of its error, or that it ended in order. */
function howItEnds(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('end of data')).resume();
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(code));
  });
}

interface Ended {
  readonly error: Error | undefined;
  readonly fromSocket: number;
  readonly toSocket: number;
}

interface Tunnel {
  readonly port: number;
  readonly client: Http2Connection;
  readonly server: Http2Connection;
  readonly clientStreams: Http2Stream[];
  readonly serverStreams: Http2Stream[];
  readonly clientDone: Ended[];
  readonly serverDone: Ended[];
}

/** TCP -> client relay -> HTTP/2 -> server relay -> TCP to `target`, all over real sockets. */
async function tunnel(target: number, windows = {}): Promise<Tunnel> {
  const pool = new BlockPool();
  const options = { clock: systemClock, pool, settings: windows };
  const [clientStreams, serverStreams]: [Http2Stream[], Http2Stream[]] = [[], []];
  const [clientDone, serverDone]: [Ended[], Ended[]] = [[], []];
  const shared = Buffer.alloc(60_000);
  const accept = net.createServer();
  const h2Port = await listen(accept);
  const outer = net.connect(h2Port, '127.0.0.1');
  const [inner] = (await once(accept, 'connection')) as [net.Socket];
  const server = new Http2Connection(socketTransport(inner), 'server', options, {
    onStream(stream) {
      serverStreams.push(stream);
      const intake = new SocketIntake(shared);
      const holder = new StreamHolder(() => socket.destroy());
      const socket = net.connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, onread: intake.onread });
      socket.once('connect', () => {
        stream.respond([[':status', '200']]);
        const counters = { bytesFromSocket: 0, bytesToSocket: 0 };
        const done = (error: Error | undefined) =>
          serverDone.push({ error, fromSocket: counters.bytesFromSocket, toSocket: counters.bytesToSocket });
        relay(socket, stream, counters, done, { socketSide: 'destination', intake });
        holder.release(stream);
      });
      return holder;
    },
    onClosed: () => undefined,
  });
  const client = new Http2Connection(socketTransport(outer), 'client', options, { onClosed: () => undefined });
  closers.push(() => client.destroy());
  const entry = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const opened = client.request(CONNECT, new Recorder());
    assert.ok(opened.ok);
    clientStreams.push(opened.value);
    const counters = { bytesFromSocket: 0, bytesToSocket: 0 };
    const done = (error: Error | undefined) =>
      clientDone.push({ error, fromSocket: counters.bytesFromSocket, toSocket: counters.bytesToSocket });
    relay(socket, opened.value, counters, done, { socketSide: 'client' });
    socket.resume();
  });
  return { port: await listen(entry), client, server, clientStreams, serverStreams, clientDone, serverDone };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}

async function readAll(socket: net.Socket, pauseEvery = 0): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sincePause = 0;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    sincePause += chunk.length;
    if (pauseEvery > 0 && sincePause > pauseEvery) {
      sincePause = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 2);
    }
  });
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

for (const [name, windows] of [
  ['HBONE windows', {}],
  ['tiny windows', { initialWindowBytes: 5_000, connectionWindowBytes: 80_000 }],
] as const) {
  test(`streams of random sizes arrive whole both ways with slow readers, with ${name}`, async () => {
    const answers = [1, 70_000, 999_999, 2_500_000].map((bytes) => randomBytes(bytes));
    const digests: string[] = [];
    let next = 0;
    const target = net.createServer({ allowHalfOpen: true }, (socket) => {
      const answer = answers[next++ % answers.length] ?? Buffer.alloc(0);
      socket.end(answer);
      void readAll(socket, 300_000).then((bytes) => digests.push(digest(bytes)));
    });
    const pair = await tunnel(await listen(target), windows);
    const requests = [2_000_000, 3, 1_234_567, 65_536].map((bytes) => randomBytes(bytes));
    const received = await Promise.all(
      requests.map((request) => {
        const socket = net.connect({ host: '127.0.0.1', port: pair.port, allowHalfOpen: true });
        socket.end(request);
        return readAll(socket, 200_000);
      }),
    );
    assert.deepEqual(received.map(digest).sort(), answers.map(digest).sort());
    // The last reader may still be at what the relay has long delivered.
    await until(() => pair.clientDone.length === 4 && pair.serverDone.length === 4 && digests.length === 4);
    assert.deepEqual(digests.sort(), requests.map(digest).sort());
    for (const ended of [...pair.clientDone, ...pair.serverDone]) assert.equal(ended.error, undefined);
    const total = (list: Ended[], key: 'fromSocket' | 'toSocket') => list.reduce((sum, one) => sum + one[key], 0);
    const sent = requests.reduce((sum, one) => sum + one.length, 0);
    assert.deepEqual([total(pair.clientDone, 'fromSocket'), total(pair.serverDone, 'toSocket')], [sent, sent]);
    assert.deepEqual([pair.client.openStreams, pair.server.openStreams], [0, 0]);
  });
}

test('a client that half-closes still gets the answer that comes after', async () => {
  const target = net.createServer({ allowHalfOpen: true }, (socket) => {
    void readAll(socket).then((bytes) => socket.end(`got ${bytes.length}`));
  });
  const pair = await tunnel(await listen(target));
  const socket = net.connect({ host: '127.0.0.1', port: pair.port, allowHalfOpen: true });
  socket.end(Buffer.alloc(12_345));
  assert.equal((await readAll(socket)).toString(), 'got 12345');
});

test('a reset of the destination is an ordinary end, and resets the client', async () => {
  const target = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const pair = await tunnel(await listen(target));
  const socket = net.connect({ host: '127.0.0.1', port: pair.port });
  socket.write('x');
  assert.equal(await howItEnds(socket), 'ECONNRESET');
  await until(() => pair.clientDone.length === 1 && pair.serverDone.length === 1);
  assert.deepEqual([pair.clientDone[0]?.error, pair.serverDone[0]?.error], [undefined, undefined]);
});

test('a reset of the client resets the destination', async () => {
  let ends: Promise<string> | undefined;
  const target = net.createServer((socket) => {
    ends = howItEnds(socket.resume());
  });
  const pair = await tunnel(await listen(target));
  const socket = net.connect({ host: '127.0.0.1', port: pair.port });
  socket.write('half a question');
  await until(() => ends !== undefined);
  socket.resetAndDestroy();
  assert.equal(await ends, 'ECONNRESET');
});

test('a stream that is broken off at one end resets the socket at the other', async () => {
  const target = net.createServer((socket) => socket.on('error', () => undefined).write('half an answer'));
  const pair = await tunnel(await listen(target));
  const socket = net.connect({ host: '127.0.0.1', port: pair.port });
  await once(socket, 'data');
  pair.serverStreams[0]?.resetAndDestroy();
  assert.equal(await howItEnds(socket), 'ECONNRESET');
});

test('RST_STREAM NO_ERROR and CANCEL read as the end of data', async () => {
  const target = net.createServer((socket) => socket.write('partial'));
  const pair = await tunnel(await listen(target));
  for (const code of [0, 8]) {
    const socket = net.connect({ host: '127.0.0.1', port: pair.port });
    await once(socket, 'data');
    pair.serverStreams.at(-1)?.reset(code);
    await once(socket, 'end');
    socket.destroy();
  }
  await until(() => pair.clientDone.length === 2);
  assert.deepEqual(
    pair.clientDone.map((one) => one.error),
    [undefined, undefined],
  );
});

test('a tunnel that is lost resets the client instead of ending its data', async () => {
  const target = net.createServer((socket) => {
    // The other end of the tunnel is lost to the destination as well.
    socket.on('error', () => socket.destroy());
    socket.write('half an answer');
  });
  const pair = await tunnel(await listen(target));
  const socket = net.connect({ host: '127.0.0.1', port: pair.port });
  await once(socket, 'data');
  const ended = howItEnds(socket);
  pair.client.destroy();
  assert.equal(await ended, 'ECONNRESET');
});

test('a destination that vanishes before everything was written is named', async () => {
  const target = net.createServer((socket) => socket.pause());
  const pair = await tunnel(await listen(target), { initialWindowBytes: 10_000, connectionWindowBytes: 80_000 });
  const socket = net.connect({ host: '127.0.0.1', port: pair.port });
  socket.on('error', () => undefined);
  const data = Buffer.alloc(1_000_000);
  const more = () => {
    let room = socket.writable;
    while (room) room = socket.write(data);
  };
  socket.on('drain', more);
  more();
  await until(() => (pair.clientStreams[0]?.pendingBytes ?? 0) > 0);
  pair.serverStreams[0]?.reset(2);
  await until(() => pair.clientDone.length === 1);
  assert.equal(pair.clientDone[0]?.error?.message, 'destination disconnected before all data was written');
});

test('a stream duplex carries data, ends and resets like any Node stream', async () => {
  const duplexes: ReturnType<typeof streamDuplex>[] = [];
  const accept = net.createServer();
  const port = await listen(accept);
  const outer = net.connect(port, '127.0.0.1');
  const [inner] = (await once(accept, 'connection')) as [net.Socket];
  const options = { clock: systemClock, pool: new BlockPool() };
  const server = new Http2Connection(socketTransport(inner), 'server', options, {
    onStream(stream) {
      stream.respond([[':status', '200']]);
      const duplex = streamDuplex(stream);
      duplexes.push(duplex);
      duplex.on('error', () => undefined);
      duplex.pipe(duplex);
      return stream.handler;
    },
    onClosed: () => undefined,
  });
  const client = new Http2Connection(socketTransport(outer), 'client', options, { onClosed: () => undefined });
  closers.push(() => client.destroy());
  const open = () => {
    const opened = client.request(CONNECT, new Recorder());
    assert.ok(opened.ok);
    return streamDuplex(opened.value);
  };
  const body = randomBytes(5_000_000);
  const duplex = open();
  duplex.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of duplex) chunks.push(chunk as Buffer);
  assert.equal(digest(Buffer.concat(chunks)), digest(body));
  const broken = open();
  broken.write('x');
  await once(broken, 'data');
  server.destroy();
  const [error] = await once(broken, 'error');
  assert.match(String(error), /HTTP\/2 stream is over/);
});

/** Relays to `target` from a stream without a connection, whose data the test hands in. */
async function deliverTo(target: net.Server): Promise<{ stream: Http2Stream; credit: () => number }> {
  let creditBytes = 0;
  const host = {
    maxSendBufferBytes: 0,
    outputBlocked: false,
    writableBytes: () => 0,
    sendHeaders: () => false,
    sendData: () => 0,
    enqueue: () => undefined,
    resetStream: () => undefined,
    returnCredit: (_stream: Http2Stream, bytes: number) => {
      creditBytes += bytes;
    },
    forget: () => undefined,
  };
  const socket = net.connect({ host: '127.0.0.1', port: await listen(target), allowHalfOpen: true });
  await once(socket, 'connect');
  const stream = new Http2Stream(1, host, new Recorder(), 65_535, 65_535);
  relay(socket, stream, { bytesFromSocket: 0, bytesToSocket: 0 }, () => undefined, { socketSide: 'destination' });
  closers.push(() => socket.destroy());
  return { stream, credit: () => creditBytes };
}

test('memory of pieces may be used again as soon as they were delivered, while a slow reader has them wait as well', async () => {
  let reader: net.Socket | undefined;
  const target = net.createServer({ pauseOnConnect: true }, (socket) => {
    reader = socket;
  });
  const { stream, credit } = await deliverTo(target);
  const hash = createHash('sha256');
  const shared = Buffer.alloc(16_384);
  const total = 1000 * shared.length;
  for (let index = 0; index < 1000; index++) {
    randomFillSync(shared);
    hash.update(shared);
    assert.equal(stream.deliver(shared), false);
    if (index % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
  }
  shared.fill(0);
  assert.equal(shared.length, 16_384);
  await until(() => reader !== undefined);
  assert.ok(credit() > 0 && credit() < total);
  stream.remoteEnded();
  assert.ok(reader);
  const received = readAll(reader, 500_000);
  reader.resume();
  assert.equal(digest(await received), hash.digest('hex'));
  await until(() => credit() === total);
});
