import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { relaySockets } from '../../../src/net/relay-sockets.ts';

const LOOPBACK = '127.0.0.1';
const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if ('destroy' in one) one.destroy();
    else one.close();
  }
});

async function listen(onConnection: (socket: Socket) => void, pauseOnConnect = false): Promise<number> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect }, (socket) => {
    open.push(socket.on('error', () => undefined));
    onConnection(socket);
  });
  open.push(server);
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A proxy in front of `target` that connects `dialMs` after it accepted. @returns its port, and the ends of its relays */
async function proxy(target: number, dialMs = 0): Promise<{ port: number; ends: (Error | undefined)[] }> {
  const ends: (Error | undefined)[] = [];
  const accept = async (downstream: Socket) => {
    // As a captured connection: it is read before there is anybody to pass it on to, but held.
    downstream.read(0);
    await delay(dialMs);
    const upstream = connect({ port: target, host: LOOPBACK, allowHalfOpen: true });
    open.push(upstream);
    await once(upstream, 'connect');
    relaySockets(downstream, upstream, { bytesFromSocket: 0, bytesToSocket: 0 }, (error) => ends.push(error));
    downstream.resume();
  };
  return { port: await listen((socket) => void accept(socket)), ends };
}

function client(port: number): Socket {
  const socket = connect({ port, host: LOOPBACK, allowHalfOpen: true });
  open.push(socket);
  return socket;
}

async function text(socket: Socket): Promise<string> {
  let all = '';
  for await (const chunk of socket) all += String(chunk);
  return all;
}

describe('a relay between two sockets', () => {
  for (const dialMs of [0, 60]) {
    it(`passes on the end of a client that says nothing, ${dialMs} ms before there is a connection`, async () => {
      const target = await listen((socket) => socket.resume().on('end', () => socket.end('answer')));
      const { port, ends } = await proxy(target, dialMs);
      const socket = client(port);
      socket.end();
      assert.equal(await text(socket), 'answer');
      while (ends.length === 0) await delay(5);
      assert.deepEqual(ends, [undefined]);
    });
  }

  it('keeps the other direction open after one has ended', async () => {
    const target = await listen((socket) => void text(socket).then((question) => socket.end(`got ${question}`)));
    const { port } = await proxy(target);
    const socket = client(port);
    socket.end('question');
    assert.equal(await text(socket), 'got question');
  });

  it('passes on a reset as a reset', async () => {
    const target = await listen((socket) => {
      socket.write('half');
      setTimeout(() => socket.resetAndDestroy(), 30);
    });
    const { port } = await proxy(target);
    const socket = client(port);
    const [error] = await once(socket.resume(), 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  });
});
