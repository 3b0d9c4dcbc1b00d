import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Clock } from '../../../src/base/clock.ts';
import { Acceptor } from '../../../src/native/acceptor.ts';
import { closeFd, localEndpoint, openTcpSocket } from '../../../src/native/sockets.ts';
import { type DialOptions, dialTcp } from '../../../src/net/tcp-dialer.ts';
import { eventually } from '../../helpers/eventually.ts';
import { openSocketCount } from '../../helpers/open-descriptors.ts';

let server: Server;
let port = 0;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket).on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterEach(() => server.close());

/** A clock whose timers fire before anything else happens. */
const hastyClock: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  after(_delayMs, run) {
    queueMicrotask(run);
    return { cancel: () => undefined };
  },
};

/** Has the addon open the socket. */
const NATIVE: Partial<DialOptions> = { keepAlive: { idleSec: 180, intervalSec: 180, probes: 9 } };

/** A listener whose queue is full, so that the kernel drops what asks for more. */
async function busyListener() {
  const fd = openTcpSocket({ family: 4, bind: { address: '127.0.0.1', port: 0 }, listenBacklog: 0 });
  const destination = localEndpoint(fd);
  const first = await dialTcp({ destination, ...NATIVE });
  return { fd, destination, first };
}

describe('dialTcp', () => {
  it('connects and leaves the other half open after an end', async () => {
    const socket = await dialTcp({ destination: { address: '127.0.0.1', port } });
    socket.end('echo');
    const [chunk] = await once(socket, 'data');
    assert.equal(`${chunk}`, 'echo');
    await once(socket, 'close');
  });

  it('reads into the buffer it was given, on a socket of either kind', async () => {
    for (const options of [{}, NATIVE]) {
      const buffer = Buffer.alloc(16);
      const { promise, resolve } = Promise.withResolvers<string>();
      const readInto = {
        buffer,
        callback: (bytes: number, into: Uint8Array) => {
          assert.equal(into.buffer, buffer.buffer);
          resolve(Buffer.from(into.subarray(0, bytes)).toString());
          return true;
        },
      };
      const socket = await dialTcp({ destination: { address: '127.0.0.1', port }, readInto, ...options });
      socket.end('hello');
      assert.equal(await promise, 'hello');
      await once(socket, 'close');
    }
  });

  it('says that nothing listens, whose fault it is and that it may be tried again', async () => {
    server.close();
    await once(server, 'close');
    const before = openSocketCount();
    for (const options of [{}, NATIVE]) {
      await assert.rejects(dialTcp({ destination: { address: '127.0.0.1', port }, ...options }), {
        code: 'CONNECT_REFUSED',
        side: 'upstream',
        retry: 'idempotent',
        message: /127\.0\.0\.1:\d+/,
      });
    }
    await eventually('sockets are closed', () => openSocketCount() <= before);
  });

  it('fails for an address or port that is none, and closes its socket', async () => {
    const before = openSocketCount();
    for (const address of ['300.1.1.1', 'a.example', 'fe80::1%nowhere']) {
      await assert.rejects(dialTcp({ destination: { address, port }, ...NATIVE }), { code: 'CONNECT_FAILED' });
    }
    for (const wrong of [70_000, -1, Number.NaN, 1.5]) {
      const destination = { address: '127.0.0.1', port: wrong };
      await assert.rejects(dialTcp({ destination, ...NATIVE }), { code: 'CONNECT_FAILED' });
    }
    assert.equal(openSocketCount(), before);
  });

  it('reaches an IPv6 address, and one with a zone', async () => {
    const wide = createServer((socket) => socket.end('here')).listen(0, '::');
    await once(wide, 'listening');
    const own = wide.address();
    assert.ok(typeof own === 'object' && own !== null);
    for (const address of ['::1', '::1%lo']) {
      const socket = await dialTcp({ destination: { address, port: own.port }, ...NATIVE });
      const [chunk] = await once(socket, 'data');
      assert.equal(`${chunk}`, 'here');
      socket.destroy();
    }
    wide.close();
  });

  it('gives up after the timeout, and when the caller does, leaving no socket behind', async () => {
    const before = openSocketCount();
    const destination = { address: '127.0.0.1', port };
    await assert.rejects(dialTcp({ destination, timeoutMs: 7 }, { clock: hastyClock }), {
      code: 'CONNECT_TIMEOUT',
      message: /7 ms/,
    });
    await assert.rejects(dialTcp({ destination, signal: AbortSignal.abort() }), { code: 'CONNECT_ABORTED' });
    const caller = new AbortController();
    const dialled = dialTcp({ destination, signal: caller.signal });
    caller.abort();
    await assert.rejects(dialled, { code: 'CONNECT_ABORTED' });
    await eventually('sockets are closed', () => openSocketCount() <= before);
  });

  it('waits for a destination that does not answer at once, as long as it may and the caller wants', async () => {
    const before = openSocketCount();
    const { fd, destination, first } = await busyListener();
    await assert.rejects(dialTcp({ destination, timeoutMs: 7, ...NATIVE }, { clock: hastyClock }), {
      code: 'CONNECT_TIMEOUT',
      message: /7 ms/,
    });
    const caller = new AbortController();
    const dialled = dialTcp({ destination, signal: caller.signal, ...NATIVE });
    setImmediate(() => caller.abort());
    await assert.rejects(dialled, { code: 'CONNECT_ABORTED' });
    first.destroy();
    closeFd(fd);
    await eventually('sockets are closed', () => openSocketCount() <= before);
  });

  it('connects when the answer comes late, and reads what comes with it', async () => {
    const { fd, destination, first } = await busyListener();
    const late = dialTcp({ destination, ...NATIVE });
    const accepted: Socket[] = [];
    const acceptor = new Acceptor(
      fd,
      {},
      {
        onAccept: (batch) => {
          for (const record of batch) {
            const socket = new Socket({ fd: record.fd, readable: true, writable: true });
            accepted.push(socket);
            socket.write('welcome');
          }
        },
      },
    );
    acceptor.resume();
    const socket = await late;
    const [chunk] = await once(socket, 'data');
    assert.equal(`${chunk}`, 'welcome');
    for (const one of [socket, first, ...accepted]) one.destroy();
    acceptor.close();
  });

  it('says what became of a connection that was refused late', async () => {
    const { fd, destination, first } = await busyListener();
    const late = assert.rejects(dialTcp({ destination, ...NATIVE }), { code: 'CONNECT_REFUSED' });
    await new Promise((resolve) => setImmediate(resolve));
    closeFd(fd);
    first.destroy();
    await late;
  });
});
