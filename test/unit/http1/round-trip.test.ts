/** What one side writes the other reads as the same exchange: both connections joined, in memory and over sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as nodeRequest, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { after, describe, test } from 'node:test';
import type { HttpHeader, HttpStream } from '../../../src/http/http-stream.ts';
import { Http1ClientConnection } from '../../../src/http1/client-connection.ts';
import { Http1ServerConnection } from '../../../src/http1/server-connection.ts';
import { type PausableTransport, pausableTransport } from '../../../src/http1/transport.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { INTAKE_BYTES, SocketIntake } from '../../../src/http2/socket-intake.ts';
import { listenTcp } from '../../../src/net/tcp-listener.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { client, get, Recorder, server, settle } from './harness.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'];
const STATUSES = ['200', '204', '304', '404', '500', '599'];

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function fields(random: (below: number) => number): HttpHeader[] {
  const value = () => Array.from({ length: random(30) }, () => String.fromCharCode(0x21 + random(94))).join('');
  return Array.from({ length: random(6) }, (_, at): HttpHeader => [`x-${at}`, value()]);
}

class Echo extends Recorder {
  override onEnd(stream: HttpStream): void {
    super.onEnd(stream);
    this.done();
  }

  done: () => void = () => undefined;
}

/** Sends a body as fast as it is taken, and expects it back. */
class Pump extends Recorder {
  readonly #body: Buffer;
  readonly #done: () => void;
  #sentBytes = 0;
  #gotBytes = 0;

  constructor(body: Buffer, done: () => void) {
    super();
    this.#body = body;
    this.#done = done;
  }

  override onWritable(stream: HttpStream): void {
    for (let more = true; more && this.#sentBytes < this.#body.length; ) {
      const chunk = this.#body.subarray(this.#sentBytes, this.#sentBytes + 50_000);
      this.#sentBytes += chunk.length;
      more = stream.write(chunk);
    }
    if (this.#sentBytes === this.#body.length) stream.end();
  }

  override onData(stream: HttpStream, chunk: Buffer): void {
    const expected = this.#body.subarray(this.#gotBytes, this.#gotBytes + chunk.length);
    assert.equal(expected.equals(chunk), true);
    this.#gotBytes += chunk.length;
    stream.consume(chunk.length);
  }

  override onEnd(): void {
    assert.equal(this.#gotBytes, this.#body.length);
    this.#done();
  }
}

describe('two connections', () => {
  test('read what the other wrote, however it was split on the way', async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = generator(seed);
      const own = client();
      const other = server();
      const pass = async () => {
        for (let turn = 0; turn < 4; turn += 1) {
          const [up, down] = [await own.transport.sent(), await other.transport.sent()];
          for (let at = 0; at < up.length; at += 7) other.transport.receive(up.slice(at, at + 7));
          for (let at = 0; at < down.length; at += 7) own.transport.receive(down.slice(at, at + 7));
        }
      };
      for (let exchange = 0; exchange < 3; exchange += 1) {
        const method = METHODS[random(METHODS.length)] ?? 'GET';
        const status = STATUSES[random(STATUSES.length)] ?? '200';
        const extra = fields(random);
        const body = 'b'.repeat(random(200));
        const bodyless = method === 'HEAD' || status === '204' || status === '304';
        const answer = 'a'.repeat(random(200));
        const handler = new Recorder();
        const result = own.connection.request([...get('/', method), ...extra], handler, body === '');
        assert.ok(result.ok);
        if (body !== '') result.value.end(Buffer.from(body));
        await pass();
        const one = other.accepted.at(-1);
        assert.deepEqual(
          one?.headers.filter(([name]) => name !== 'content-length'),
          [...get('/', method), ...extra],
        );
        assert.equal(one?.handler.text, body);
        one?.stream.respond([[':status', status], ...extra]);
        one?.stream.end(Buffer.from(answer));
        await pass();
        assert.deepEqual(handler.headers, [[[':status', status], ...extra]], `seed ${seed}`);
        assert.equal(handler.text, bodyless ? '' : answer);
        assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
      }
    }
  });

  test('tunnel both ways', async () => {
    const own = client();
    const other = server();
    const handler = new Recorder();
    const result = own.connection.request([...get('/ws'), ['upgrade', 'websocket']], handler, true);
    assert.ok(result.ok);
    other.transport.receive(await own.transport.sent());
    const one = other.accepted[0];
    one?.stream.respond([
      [':status', '101'],
      ['upgrade', 'websocket'],
    ]);
    one?.stream.write(Buffer.from('down'));
    own.transport.receive(await other.transport.sent());
    result.value.write(Buffer.from('up'));
    other.transport.receive(await own.transport.sent());
    assert.deepEqual([handler.text, one?.handler.text], ['down', 'up']);
    await settle();
  });
});

describe('over sockets', () => {
  const clock = new ManualClock();
  const pool = new BlockPool();
  const servers: (Server | ReturnType<typeof createTcpServer>)[] = [];
  after(() => {
    for (const one of servers) one.close();
  });

  function echoServer(transport: PausableTransport): void {
    const options = { clock, pool, scheme: 'http' as const };
    new Http1ServerConnection(transport, options, {
      onRequest(stream) {
        stream.respond([[':status', '200']]);
        return {
          onHeaders: () => undefined,
          onData(one, chunk) {
            // What was read while the other side is behind is given back when it reads again.
            if (one.write(chunk)) one.releaseCredit();
          },
          onEnd: (one) => one.end(),
          onClosed: () => undefined,
          onWritable: (one) => one.releaseCredit(),
        };
      },
      onClosed: () => undefined,
    });
  }

  async function portOf(one: Server | ReturnType<typeof createTcpServer>): Promise<number> {
    servers.push(one);
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
    return (one.address() as AddressInfo).port;
  }

  test("Node's client gets from our server what it sent, 8 MB of it", async () => {
    const echo = createTcpServer({ allowHalfOpen: true }, (socket) => echoServer(pausableTransport(socket)));
    const request = nodeRequest({ port: await portOf(echo), host: '127.0.0.1', method: 'POST' });
    const body = Buffer.alloc(8_000_000, 'abc');
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    assert.equal(Buffer.concat(chunks).equals(body), true);
  });

  test('both read into one buffer that is used again, 8 MB of it', async () => {
    const buffer = Buffer.allocUnsafeSlow(INTAKE_BYTES);
    const listener = await listenTcp(
      { endpoint: { address: '127.0.0.1', port: 0 } },
      {
        onConnection(connection) {
          const intake = new SocketIntake(buffer);
          echoServer(pausableTransport(connection.open(intake.onread), intake));
        },
      },
    );
    const intake = new SocketIntake(buffer);
    const { port } = listener.endpoint;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, onread: intake.onread });
    await once(socket, 'connect');
    const closed = new Promise((resolve) => {
      const options = { clock, pool };
      const connection = new Http1ClientConnection(pausableTransport(socket, intake), options, { onClosed: resolve });
      const handler = new Pump(Buffer.alloc(8_000_000, 'abcdefg'), () => connection.drain());
      const result = connection.request(get('/', 'POST'), handler, false);
      assert.ok(result.ok);
      handler.onWritable(result.value);
    });
    assert.equal(await closed, undefined);
    listener.close();
  });

  test("our client gets from Node's server what it sent, twice on one connection", async () => {
    const node = createServer((request, response) => {
      response.setHeader('x-method', request.method ?? '');
      request.pipe(response);
    });
    const socket = connect({ port: await portOf(node), host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    let closed = false;
    const connection = new Http1ClientConnection(
      pausableTransport(socket),
      { clock, pool },
      {
        onClosed: () => {
          closed = true;
        },
      },
    );
    for (const text of ['one', 'two']) {
      const handler = new Echo();
      const ended = new Promise<void>((resolve) => {
        handler.done = resolve;
      });
      const result = connection.request(get('/', 'POST'), handler, false);
      assert.ok(result.ok);
      result.value.end(Buffer.from(text));
      await ended;
      assert.equal(handler.text, text);
      await settle();
    }
    const closing = once(socket, 'close');
    connection.drain();
    await closing;
    assert.equal(closed, true);
  });
});
