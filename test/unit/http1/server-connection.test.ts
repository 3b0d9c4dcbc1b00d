import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HttpStream } from '../../../src/http/http-stream.ts';
import type { Http2Stream } from '../../../src/http2/stream.ts';
import { type Accepted, OK, Recorder, server, settle, TestTransport } from './harness.ts';

// Compiles only while a stream of HTTP/2 can be passed where one of any version is wanted.
const asHttpStream = (stream: Http2Stream): HttpStream => stream;

const GET = 'GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Answers at once. */
function hello({ stream }: Accepted): void {
  stream.respond([...OK, ['content-length', '5']]);
  stream.end(Buffer.from('hello'));
}

describe('a server connection', () => {
  test('hands a request over and sends the response with the framing it can have', async () => {
    const { transport, accepted } = server({}, hello);
    transport.receive(GET);
    assert.equal(await transport.sent(), 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello');
    assert.equal(accepted[0]?.endStream, true);
    assert.equal(accepted[0]?.handler.ended, 1);
    assert.deepEqual(accepted[0]?.handler.closed, [{ kind: 'normal' }]);
    assert.equal(typeof asHttpStream, 'function');
  });

  test('sends a body of unknown length in chunks, with trailers', async () => {
    const { transport, accepted } = server();
    transport.receive(GET);
    const { stream } = accepted[0] as Accepted;
    stream.respond([...OK, ['connection', 'x'], ['transfer-encoding', 'x'], ['x-a', '1']]);
    stream.write(Buffer.from('abc'));
    stream.write(Buffer.alloc(0));
    stream.sendTrailers([
      ['grpc-status', '0'],
      ['content-length', '9'],
    ]);
    const sent =
      'HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n';
    assert.equal(await transport.sent(), sent);
    assert.equal(stream.state, 'closed');
  });

  test('ends the connection behind a response of unknown length to HTTP/1.0', async () => {
    const { transport } = server({}, ({ stream }) => {
      stream.respond([[':status', '100']]);
      stream.respond(OK);
      stream.end(Buffer.from('abc'));
    });
    transport.receive('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.equal(await transport.sent(), 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc');
    assert.equal(transport.ended, true);
    assert.equal(transport.aborted, false);
  });

  test('keeps a connection of HTTP/1.0 that asks for it', async () => {
    const { transport } = server({}, ({ stream }) => stream.respond(OK, true));
    transport.receive('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.equal(await transport.sent(), 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n');
    assert.equal(transport.ended, false);
  });

  for (const [what, method, status, sent] of [
    ['HEAD', 'HEAD', '200', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'],
    ['304', 'GET', '304', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'],
    ['204', 'GET', '204', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ] as const) {
    test(`sends no body with ${what}, whatever is written`, async () => {
      const { transport } = server({}, ({ stream }) => {
        stream.respond([
          [':status', status],
          ['content-length', '5'],
        ]);
        stream.end(Buffer.from('hello'));
      });
      transport.receive(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.equal(await transport.sent(), sent);
    });
  }

  test('never sends a body that differs from its content-length', async () => {
    for (const text of ['hell', 'hello!']) {
      const { transport, accepted } = server({}, ({ stream }) => {
        stream.respond([...OK, ['content-length', '5']]);
        stream.end(Buffer.from(text));
      });
      transport.receive(GET + GET);
      await settle();
      assert.equal(transport.aborted, true);
      assert.equal(accepted.length, 1);
      assert.deepEqual(accepted[0]?.handler.closed, [{ kind: 'reset', by: 'local', code: 2 }]);
    }
  });

  test('refuses response headers that would break out of their line', () => {
    const { transport, accepted } = server();
    transport.receive(GET);
    const { stream } = accepted[0] as Accepted;
    assert.equal(stream.respond([...OK, ['x', 'a\r\nb: c']]), false);
    assert.equal(stream.respond([...OK, ['x\r\n', 'a']]), false);
    assert.equal(stream.respond([[':status', '2x0']]), false);
    assert.equal(stream.respond([...OK, ['content-length', '5']], true), false);
    assert.equal(stream.respond([...OK, ['x', '\u0100']]), false);
    assert.equal(stream.respond(OK, true), true);
  });

  test('reads pipelined requests one after the other, from one held read', async () => {
    const { transport, accepted } = server();
    transport.receive(GET + GET.replace('/a', '/b') + GET.replace('/a', '/c'));
    assert.equal(accepted.length, 1);
    assert.equal(transport.paused, true);
    for (const count of [1, 2, 3]) {
      assert.equal(accepted.length, count);
      accepted[count - 1]?.stream.respond(OK, true);
    }
    await settle();
    assert.deepEqual(
      accepted.map(({ headers }) => headers[3]?.[1]),
      ['/a', '/b', '/c'],
    );
    assert.equal(transport.paused, false);
  });

  test('answers thousands of pipelined requests of one read without recursion', async () => {
    const { transport, accepted } = server({}, hello);
    transport.receive(GET.repeat(20_000));
    assert.equal(accepted.length, 20_000);
  });

  test('stops reading while a handler holds a window of body bytes', () => {
    const { transport, accepted } = server({ windowBytes: 1000 });
    transport.receive('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n');
    const one = accepted[0] as Accepted;
    const slow = new Recorder(false);
    one.stream.setHandler(slow);
    transport.receive('a'.repeat(999));
    assert.equal(transport.paused, false);
    transport.receive('a');
    assert.equal(transport.paused, true);
    one.stream.consume(400);
    assert.equal(transport.paused, true);
    one.stream.releaseCredit();
    assert.equal(transport.paused, false);
    assert.equal(slow.text.length, 1000);
  });

  test('keeps what it hands on when the memory of reads is used again', async () => {
    const { transport, accepted } = server({}, undefined, new TestTransport(true));
    transport.receive(`${POST}abcde${GET}`);
    accepted[0]?.stream.respond(OK, true);
    await settle();
    assert.equal(accepted[0]?.handler.text, 'abcde');
    assert.equal(accepted[1]?.headers[3]?.[1], '/a');
  });

  test('makes writers wait for a peer that does not read, and ends those that do not', async () => {
    const { transport, accepted } = server();
    transport.receive(GET);
    const { stream, handler } = accepted[0] as Accepted;
    transport.stalled = true;
    stream.respond(OK);
    const chunk = Buffer.alloc(65_536);
    let writes = 0;
    while (stream.write(chunk) && writes < 100) writes += 1;
    assert.ok(writes < 6);
    assert.equal(handler.writable, 0);
    for (let turn = 0; turn < 8; turn += 1) {
      transport.flow();
      await settle(1);
    }
    assert.equal(handler.writable, 1);
    transport.stalled = true;
    for (let more = 0; more < 100 && stream.state !== 'closed'; more += 1) stream.write(chunk);
    assert.equal(stream.state, 'closed');
  });

  test('passes Expect on, and continues when the handler says so', async () => {
    const { transport, accepted } = server();
    transport.receive(POST.replace('Content', 'Expect: 100-continue\r\nContent'));
    const { stream, headers, handler } = accepted[0] as Accepted;
    assert.ok(headers.some(([name, value]) => name === 'expect' && value === '100-continue'));
    stream.respond([[':status', '100']]);
    assert.equal(await transport.sent(), 'HTTP/1.1 100 Continue\r\n\r\n');
    transport.receive('hello');
    stream.respond(OK, true);
    assert.equal(await transport.sent(), 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal(handler.text, 'hello');
  });

  test('ends the connection when it answers without asking for the expected body', async () => {
    const { transport, accepted } = server();
    transport.receive(POST.replace('Content', 'Expect: 100-continue\r\nContent'));
    accepted[0]?.stream.respond([[':status', '413']], true);
    assert.match(await transport.sent(), /^HTTP\/1\.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close/);
  });

  test('takes early hints for no leave to send the body, and a body that came for not waiting for it', async () => {
    const expecting = POST.replace('Content', 'Expect: 100-continue\r\nContent');
    const hinted = server({}, ({ stream }) => stream.respond([[':status', '103']]));
    hinted.transport.receive(expecting);
    hinted.accepted[0]?.stream.respond([[':status', '413']], true);
    assert.match(
      await hinted.transport.sent(),
      /^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 413 .*connection: close/s,
    );
    const sending = server();
    sending.transport.receive(`${expecting}hello`);
    sending.accepted[0]?.stream.respond(OK, true);
    assert.doesNotMatch(await sending.transport.sent(), /connection: close/);
  });

  test('after an early response goes on when the rest of the request comes in time', async () => {
    const { transport, accepted } = server();
    transport.receive(POST);
    accepted[0]?.stream.respond([[':status', '403']], true);
    transport.receive(`hello${GET}`);
    assert.equal(accepted.length, 2);
  });

  test('after an early response ends when the rest of the request does not come', async () => {
    const { transport, accepted, clock, closed } = server();
    transport.receive(POST);
    accepted[0]?.stream.respond([[':status', '403']], true);
    await settle();
    clock.advance(4000);
    transport.receive('he');
    assert.equal(transport.ended, false);
    clock.advance(1000);
    assert.equal(transport.ended, true);
    assert.deepEqual(accepted[0]?.handler.closed, [{ kind: 'reset', by: 'local', code: 0 }]);
    transport.receive(`llo${GET}`);
    assert.equal(accepted.length, 1);
    clock.advance(1000);
    await settle();
    assert.deepEqual(closed, [undefined]);
  });

  for (const [status, text] of [
    [400, 'GET / HTTP/1.1\r\n\r\n'],
    [414, `GET /${'a'.repeat(20_000)}`],
    [431, `GET / HTTP/1.1\r\nX: ${'a'.repeat(70_000)}`],
    [501, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    [505, 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
  ] as const) {
    test(`answers with ${status} by itself and ends the connection`, async () => {
      const { transport, accepted, closed, clock } = server();
      transport.receive(text);
      const sent = await transport.sent();
      assert.ok(sent.startsWith(`HTTP/1.1 ${status} `), sent);
      assert.match(sent, /connection: close\r\n\r\n[a-zA-Z]/);
      assert.equal(transport.ended, true);
      transport.receive(GET);
      clock.advance(1000);
      await settle();
      assert.equal(accepted.length, 0);
      assert.equal(closed[0]?.code, 'HTTP1_PROTOCOL_VIOLATION');
    });
  }

  test('answers what it can before a request it cannot read', async () => {
    const { transport } = server({}, hello);
    transport.receive(`${GET}GET / HTTP/1.1\nHost: a\n\n`);
    assert.match(await transport.sent(), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nhelloHTTP\/1\.1 400 Bad Request/);
  });

  test('a broken body is answered with 400, or cuts the response that has begun', async () => {
    const broken = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx';
    const silent = server();
    silent.transport.receive(broken);
    assert.match(await silent.transport.sent(), /^HTTP\/1\.1 400 /);
    assert.equal(silent.accepted[0]?.handler.closed.length, 1);
    const begun = server({}, ({ stream }) => stream.respond(OK));
    begun.transport.receive(broken);
    await settle();
    assert.equal(begun.transport.aborted, true);
    assert.equal(begun.accepted[0]?.handler.closed[0]?.kind, 'lost');
  });

  test('refuses with 503 when nobody handles the request', async () => {
    const transport = new TestTransport();
    const { connection } = server({}, ({ stream }) => stream.reset(), transport);
    transport.receive(GET);
    await settle();
    assert.equal(transport.aborted, true);
    assert.equal(connection.closed, true);
  });

  test('a reset cuts the connection, so that no part passes for the whole', async () => {
    const { transport, accepted, closed } = server();
    transport.receive(GET + GET);
    accepted[0]?.stream.respond(OK);
    accepted[0]?.stream.reset();
    await settle();
    assert.equal(transport.aborted, true);
    assert.equal(accepted.length, 1);
    assert.equal(closed[0]?.code, 'HTTP1_DESTROYED');
    assert.deepEqual(accepted[0]?.handler.closed, [{ kind: 'reset', by: 'local', code: 8 }]);
  });
});

describe('the end of a server connection', () => {
  test('a client that ended its side behind its request gets the response', async () => {
    const { transport, accepted } = server();
    transport.receive(GET);
    transport.receiveEnd();
    accepted[0]?.stream.respond(OK, true);
    assert.match(await transport.sent(), /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\nconnection: close/);
    assert.equal(transport.ended, true);
  });

  test('a client that ends its side within a request loses the exchange', async () => {
    const { transport, accepted } = server();
    transport.receive(POST);
    transport.receiveEnd();
    await settle();
    assert.equal(accepted[0]?.handler.closed[0]?.kind, 'lost');
  });

  test('a lost transport is told to the exchange and then to the owner, once', () => {
    const { transport, accepted, closed, connection } = server();
    transport.receive(GET);
    transport.lose(new Error('reset'));
    connection.destroy();
    assert.equal(accepted[0]?.handler.closed.length, 1);
    assert.deepEqual(
      closed.map((error) => error?.code),
      ['HTTP1_TRANSPORT_LOST'],
    );
  });

  test('drain closes an idle connection at once', () => {
    const { transport, connection } = server();
    connection.drain();
    assert.equal(transport.ended, true);
  });

  test('drain lets the present exchange end and says so in its response', async () => {
    const { transport, connection, accepted } = server();
    transport.receive(GET + GET);
    connection.drain();
    accepted[0]?.stream.respond(OK, true);
    assert.match(await transport.sent(), /connection: close/);
    assert.equal(transport.ended, true);
    assert.equal(accepted.length, 1);
  });

  test('the last output goes out however slowly it is taken, as long as any of it is', async () => {
    const { transport, connection, accepted, clock } = server();
    transport.receive(GET);
    transport.stalled = true;
    transport.takesLater = true;
    accepted[0]?.stream.respond(OK);
    for (let count = 0; count < 4; count += 1) accepted[0]?.stream.write(Buffer.alloc(65_536));
    connection.drain();
    accepted[0]?.stream.end();
    await settle();
    clock.advance(30_000);
    for (const written of [1, 2]) {
      assert.equal(transport.destroyed, false, String(written));
      transport.flow();
      transport.stalled = true;
      clock.advance(40_000);
    }
    assert.equal(transport.destroyed, false);
    clock.advance(120_000);
    assert.equal(transport.destroyed, true);
  });
});

describe('time on a server connection', () => {
  test('an idle connection is closed without a word', async () => {
    const { transport, clock } = server({ idleTimeoutMs: 1000 }, hello);
    clock.advance(900);
    transport.receive(GET);
    await transport.sent();
    clock.advance(900);
    assert.equal(transport.ended, false);
    clock.advance(100);
    assert.equal(transport.ended, true);
    assert.equal(await transport.sent(), '');
  });

  test('a head has to be complete in time, however its bytes trickle', async () => {
    const { transport, clock, closed } = server({ headTimeoutMs: 1000 });
    for (const byte of GET.slice(0, 11)) {
      transport.receive(byte);
      clock.advance(100);
    }
    assert.match(await transport.sent(), /^HTTP\/1\.1 408 Request Timeout/);
    clock.advance(1000);
    await settle();
    assert.equal(closed[0]?.code, 'HTTP1_TIMEOUT');
  });

  test('a body has to go on while it is read, not while the handler holds it back', async () => {
    const { transport, clock, accepted } = server({ bodyIdleTimeoutMs: 1000, windowBytes: 2 });
    transport.receive(POST);
    const slow = new Recorder(false);
    accepted[0]?.stream.setHandler(slow);
    clock.advance(900);
    transport.receive('he');
    clock.advance(5000);
    accepted[0]?.stream.releaseCredit();
    clock.advance(900);
    assert.equal(transport.ended, false);
    clock.advance(200);
    assert.match(await transport.sent(), /^HTTP\/1\.1 408 /);
    assert.equal(slow.closed.length, 1);
  });

  test('a handler may take its time', () => {
    const { transport, clock } = server();
    transport.receive(GET);
    clock.advance(10 * 3_600_000);
    assert.equal(transport.ended, false);
  });
});

describe('a tunnel through a server connection', () => {
  test('begins with 101, and what came early is its own', async () => {
    const { transport, accepted } = server();
    transport.receive(`${UPGRADE}early`);
    const { stream, handler, headers, endStream } = accepted[0] as Accepted;
    assert.equal(endStream, false);
    assert.deepEqual(headers.at(-1), ['upgrade', 'websocket']);
    assert.equal(handler.text, '');
    assert.equal(transport.paused, true);
    stream.respond([
      [':status', '101'],
      ['upgrade', 'websocket'],
    ]);
    assert.equal(handler.text, 'early');
    assert.equal(transport.paused, false);
    transport.receive(' and late');
    stream.write(Buffer.from('raw'));
    const sent = await transport.sent();
    assert.equal(sent, 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nraw');
    assert.equal(handler.text, 'early and late');
  });

  test('keeps half-close both ways', async () => {
    const { transport, accepted, closed } = server({ allowConnect: true });
    transport.receive('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
    const { stream, handler } = accepted[0] as Accepted;
    stream.respond(OK);
    assert.equal(await transport.sent(), 'HTTP/1.1 200 OK\r\n\r\n');
    transport.receive('abc');
    transport.receiveEnd();
    assert.equal(handler.ended, 1);
    stream.end(Buffer.from('def'));
    assert.equal(await transport.sent(), 'def');
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    await settle();
    assert.deepEqual(closed, [undefined]);
  });

  test('that is refused drops what came early and ends the connection', async () => {
    const { transport, accepted } = server();
    transport.receive(UPGRADE + GET);
    accepted[0]?.stream.respond([[':status', '403']], true);
    assert.match(await transport.sent(), /^HTTP\/1\.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close/);
    await settle();
    assert.equal(accepted.length, 1);
    assert.equal(transport.ended, true);
  });

  test('that is refused at once drops what came with it, too', async () => {
    for (const first of [UPGRADE, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n']) {
      const { transport, accepted } = server({ allowConnect: true }, ({ stream }) => {
        stream.respond([[':status', '403']], true);
      });
      transport.receive(first + GET);
      await settle();
      assert.equal(accepted.length, 1);
      assert.equal(transport.ended, true);
    }
  });

  test('that is refused before anything followed leaves the connection in use', async () => {
    const { transport, accepted } = server();
    transport.receive(UPGRADE);
    accepted[0]?.stream.respond([[':status', '403']], true);
    assert.equal(accepted[0]?.handler.ended, 1);
    transport.receive(GET);
    assert.equal(accepted.length, 2);
    assert.equal(transport.ended, false);
  });

  test('is not granted to a request that did not ask for it', () => {
    const { transport, accepted } = server();
    transport.receive(GET);
    const refused = accepted[0]?.stream.respond([
      [':status', '101'],
      ['upgrade', 'websocket'],
    ]);
    assert.equal(refused, false);
  });
});
