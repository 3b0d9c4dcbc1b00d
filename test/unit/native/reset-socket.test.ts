import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { resetSocket } from '../../../src/native/reset-socket.ts';

const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
const others: Socket[] = [];
server.on('connection', (socket) => others.push(socket.on('error', () => undefined)));
after(() => {
  server.close();
  for (const other of others) other.destroy();
});

/** A connection, and its other end, which reads nothing yet. */
async function pair(): Promise<[Socket, Socket]> {
  await (server.listening ? undefined : once(server, 'listening'));
  const accepted = once(server, 'connection');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [other] = (await accepted) as [Socket];
  await (socket.connecting ? once(socket, 'connect') : undefined);
  return [socket, other];
}

const CASES = {
  'that is open': () => undefined,
  'whose bytes wait for the peer': (socket: Socket) => void socket.write(Buffer.alloc(64 * 1_048_576)),
  'whose end waits behind bytes for the peer': (socket: Socket) => void socket.end(Buffer.alloc(64 * 1_048_576)),
} as const;

describe('a connection', () => {
  for (const [state, prepare] of Object.entries(CASES))
    it(`${state} is reset and closed`, async () => {
      const [socket, other] = await pair();
      prepare(socket);
      await turn();
      const closed = once(socket, 'close');
      const broken = once(other, 'error');
      resetSocket(socket);
      await closed;
      other.resume();
      const [error] = await broken;
      assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    });

  it('that has just been ended is closed', async () => {
    const [socket] = await pair();
    socket.end('x');
    const closed = once(socket, 'close');
    resetSocket(socket);
    await closed;
  });

  it('that is gone is left alone', async () => {
    const [socket, other] = await pair();
    socket.destroy();
    resetSocket(socket);
    await once(other.resume(), 'close');
  });
});
