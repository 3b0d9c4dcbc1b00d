import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Clock } from '../../../src/base/clock.ts';
import { dialTcp } from '../../../src/net/tcp-dialer.ts';
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

describe('dialTcp', () => {
  it('connects and leaves the other half open after an end', async () => {
    const socket = await dialTcp({ destination: { address: '127.0.0.1', port } });
    socket.end('echo');
    const [chunk] = await once(socket, 'data');
    assert.equal(`${chunk}`, 'echo');
    await once(socket, 'close');
  });

  it('reads into the buffer it was given, on a socket of either kind', async () => {
    const native = { keepAlive: { idleSec: 180, intervalSec: 180, probes: 9 } };
    for (const options of [{}, native]) {
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
    await assert.rejects(dialTcp({ destination: { address: '127.0.0.1', port } }), {
      code: 'CONNECT_REFUSED',
      side: 'upstream',
      retry: 'idempotent',
      message: /127\.0\.0\.1:\d+/,
    });
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
});
