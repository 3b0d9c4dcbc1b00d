import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import { SocketSender } from '../../../src/native/socket-sender.ts';

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });

async function pair(): Promise<{ readonly near: Socket; readonly far: Socket; readonly sender: SocketSender }> {
  const accepted = once(server, 'connection');
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  await once(near, 'connect');
  const [far] = (await accepted) as [Socket];
  const sender = SocketSender.of(near);
  assert.ok(sender);
  return { near, far, sender };
}

async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('sending past the queue of a socket', () => {
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  it('sends at once, and the end behind it', async () => {
    const { near, far, sender } = await pair();
    assert.equal(sender.send(Buffer.from('hello')), 5);
    near.end();
    assert.equal((await allOf(far)).toString(), 'hello');
    far.destroy();
    near.destroy();
  });

  it('takes what fits, and nothing while the socket has bytes waiting, so that the order is kept', async () => {
    const { near, far, sender } = await pair();
    const big = Buffer.alloc(8 * 1024 * 1024, 'x');
    const taken = sender.send(big);
    assert.ok(taken > 0 && taken < big.length, `${taken} bytes`);
    near.write(big.subarray(taken));
    assert.equal(sender.send(Buffer.from('early')), 0);
    near.end('late');
    const received = await allOf(far);
    assert.equal(received.length, big.length + 4);
    assert.equal(received.subarray(-4).toString(), 'late');
    near.destroy();
    far.destroy();
  });

  it('writes nothing when the socket is closed, whose descriptor may be another connection by then', async () => {
    const { near, far, sender } = await pair();
    near.destroy();
    const next = await pair();
    assert.equal(sender.send(Buffer.from('for somebody else')), 0);
    next.near.end();
    assert.equal((await allOf(next.far)).length, 0);
    for (const socket of [far, next.near, next.far]) socket.destroy();
  });

  it('destroys a socket that the peer reset, with the error that a write has', async () => {
    const { near, far, sender } = await pair();
    near.on('error', () => undefined);
    near.pause();
    far.resetAndDestroy();
    await once(far, 'close');
    const failed = new Promise((resolve) => near.once('close', resolve));
    for (let tries = 0; tries < 100 && !near.destroyed; tries++) {
      assert.equal(sender.send(Buffer.from('x')) <= 1, true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await failed;
    assert.match(String((near.errored as NodeJS.ErrnoException | null)?.code), /^(?:ECONNRESET|EPIPE)$/);
  });

  it('is not to be had for TLS, and for what is not connected', async () => {
    const { near, far } = await pair();
    const secured = new TLSSocket(near);
    secured.on('error', () => undefined);
    assert.equal(SocketSender.of(secured), undefined);
    secured.destroy();
    far.destroy();
    assert.equal(SocketSender.of(secured), undefined);
  });
});
