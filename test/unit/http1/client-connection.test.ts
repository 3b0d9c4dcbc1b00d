import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { client, get, Recorder, settle } from './harness.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const WEBSOCKET: readonly HttpHeader[] = [...get('/ws'), ['upgrade', 'websocket']];

/** A client connection with one request out. */
async function requested(headers: readonly HttpHeader[] = get(), endStream = true) {
  const one = client();
  const handler = new Recorder();
  const result = one.connection.request(headers, handler, endStream);
  assert.ok(result.ok);
  return { ...one, handler, stream: result.value, sent: await one.transport.sent() };
}

describe('a client connection', () => {
  test('sends a request and reads its response', async () => {
    const { transport, handler, sent, connection, counts } = await requested([
      ...get('/x?y'),
      ['te', 'trailers'],
      ['accept', '*/*'],
    ]);
    assert.equal(sent, 'GET /x?y HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n\r\n');
    assert.equal(connection.idle, false);
    transport.receive(OK);
    assert.deepEqual(handler.headers, [
      [
        [':status', '200'],
        ['content-length', '5'],
      ],
    ]);
    assert.equal(handler.text, 'hello');
    assert.equal(handler.ended, 1);
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    assert.equal(connection.acceptsRequests, true);
    assert.equal(counts.idle, 1);
  });

  test('sends bodies with the framing they can have', async () => {
    const length = await requested([...get('/', 'POST'), ['content-length', '3']], false);
    length.stream.end(Buffer.from('abc'));
    assert.equal(
      length.sent + (await length.transport.sent()),
      'POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc',
    );
    const chunked = await requested(get('/', 'POST'), false);
    chunked.stream.write(Buffer.from('abc'));
    chunked.stream.sendTrailers([['x-sum', '1']]);
    const sent = chunked.sent + (await chunked.transport.sent());
    assert.equal(
      sent,
      'POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n',
    );
    assert.match((await requested(get('/', 'POST'))).sent, /content-length: 0/);
    assert.doesNotMatch((await requested(get('/', 'DELETE'))).sent, /content-length/);
  });

  test('sends the cookies of several fields in one (RFC 9113 8.2.3)', async () => {
    const { sent } = await requested([...get(), ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2']]);
    assert.equal(sent, 'GET / HTTP/1.1\r\nhost: a.example\r\nx: y\r\ncookie: a=1; b=2\r\n\r\n');
  });

  test('never pipelines', async () => {
    const { connection, transport } = await requested();
    const second = connection.request(get(), new Recorder(), true);
    assert.equal(!second.ok && second.error.code, 'HTTP1_NOT_ACCEPTING');
    transport.receive(OK);
    assert.equal(connection.request(get(), new Recorder(), true).ok, true);
  });

  test('refuses headers that make no request', () => {
    const { connection } = client();
    const without = (name: string) => get().filter(([own]) => own !== name);
    for (const headers of [
      without(':method'),
      without(':path'),
      without(':authority'),
      [...get(), ['x', 'a\r\nb: c']],
      [...get('/a b')],
      [...get('/a\r\nx')],
      [...get('a')],
      [...get('/', 'G T')],
      [...get(), ['content-length', '3']],
      [...get(), [':status', '200']].slice(4),
    ] as HttpHeader[][]) {
      const result = connection.request(headers, new Recorder(), true);
      assert.equal(!result.ok && result.error.code, 'HTTP1_HEADERS_INVALID', JSON.stringify(headers));
    }
    assert.equal(connection.acceptsRequests, true);
  });

  test('hands interim responses on, and ends a connection with too many', async () => {
    const { transport, handler } = await requested();
    transport.receive('HTTP/1.1 100 Continue\r\n\r\n');
    assert.equal(handler.status, '100');
    transport.receive(OK);
    assert.equal(handler.status, '200');
    const flooded = await requested();
    flooded.transport.receive('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17));
    assert.equal(flooded.handler.closed[0]?.kind, 'lost');
  });

  test('expects no body of a response to HEAD', async () => {
    const { transport, handler, connection } = await requested(get('/', 'HEAD'));
    transport.receive('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    assert.equal(connection.acceptsRequests, true);
  });

  test('hands trailers on', async () => {
    const { transport, handler } = await requested();
    transport.receive('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nGrpc-Status: 0\r\n\r\n');
    assert.deepEqual(handler.headers.at(-1), [['grpc-status', '0']]);
  });

  test('is not used again after a response that ends it', async () => {
    for (const [text, end] of [
      ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false],
      ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
      ['HTTP/1.1 200 OK\r\n\r\nabc', true],
    ] as const) {
      const { transport, handler, connection, counts } = await requested();
      transport.receive(text);
      if (end) transport.receiveEnd();
      assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
      assert.equal(connection.acceptsRequests, false);
      assert.equal(counts.idle, 0);
      assert.equal(transport.ended, true);
    }
  });

  test('is not used again after a response that came before the end of the request', async () => {
    const { transport, handler, connection, stream } = await requested(get('/', 'POST'), false);
    transport.receive(OK);
    assert.equal(handler.ended, 1);
    assert.equal(stream.state, 'half-closed-remote');
    stream.end();
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    assert.equal(connection.acceptsRequests, false);
  });
});

describe('a client connection cannot be poisoned', () => {
  test('bytes before any request end it', async () => {
    const { transport, connection, closed } = client();
    transport.receive(OK);
    await settle();
    assert.equal(connection.acceptsRequests, false);
    assert.equal(closed[0]?.code, 'HTTP1_PROTOCOL_VIOLATION');
  });

  test('bytes behind a response end it, in the same read or later', async () => {
    for (const reads of [[`${OK}x`], [OK, 'x'], [OK, OK]]) {
      const { transport, connection, handler } = await requested();
      for (const text of reads) transport.receive(text);
      assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
      assert.equal(connection.acceptsRequests, false);
      assert.equal(transport.aborted, true);
    }
  });

  test('a faulty response ends it and is told as lost, without another attempt', async () => {
    const { transport, handler, closed } = await requested();
    transport.receive('HTTP/1.1 200 OK\nX: y\n\n');
    const [reason] = handler.closed;
    assert.equal(reason?.kind === 'lost' && reason.error?.retry, 'never');
    assert.equal(closed[0]?.code, 'HTTP1_PROTOCOL_VIOLATION');
  });
});

describe('when a client connection is lost', () => {
  test('before anything was sent the request is unprocessed', () => {
    const { connection, transport } = client();
    const handler = new Recorder();
    connection.request(get(), handler, true);
    transport.lose();
    assert.deepEqual(handler.closed, [{ kind: 'unprocessed' }]);
  });

  test('before any byte of a response another attempt is safe on a reused connection, or for what is idempotent', async () => {
    const first = await requested();
    first.transport.receiveEnd();
    const second = await requested();
    second.transport.receive(OK);
    const handler = new Recorder();
    second.connection.request(get(), handler, true);
    await settle();
    second.transport.lose(new Error('reset'));
    assert.deepEqual([first.closed[0]?.code, first.closed[0]?.retry], ['HTTP1_NO_RESPONSE', 'idempotent']);
    assert.deepEqual(
      [second.closed[0]?.code, second.closed[0]?.retry],
      ['HTTP1_NO_RESPONSE', 'reused-connection-only'],
    );
    const [reason] = handler.closed;
    assert.equal(reason?.kind === 'lost' && reason.error?.code, 'HTTP1_NO_RESPONSE');
  });

  test('within a response it is told as lost, never as its end', async () => {
    for (const text of [
      'HTTP/1.1 2',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ]) {
      const { transport, handler, closed } = await requested();
      transport.receive(text);
      transport.receiveEnd();
      assert.equal(handler.ended, 0);
      assert.equal(handler.closed[0]?.kind, 'lost');
      await settle();
      assert.deepEqual(
        closed.map((error) => [error?.code, error?.retry]),
        [['HTTP1_TRANSPORT_LOST', 'never']],
      );
    }
  });

  test('while idle it says so and takes nothing more', async () => {
    const { transport, connection, closed } = client();
    transport.receiveEnd();
    await settle();
    assert.equal(connection.acceptsRequests, false);
    assert.deepEqual(closed, [undefined]);
  });

  test('by its own user it is told as reset', async () => {
    const { stream, handler, transport } = await requested();
    stream.reset();
    assert.deepEqual(handler.closed, [{ kind: 'reset', by: 'local', code: 8 }]);
    assert.equal(transport.aborted, true);
  });
});

describe('a tunnel through a client connection', () => {
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

  test('begins with 101 and carries raw bytes both ways', async () => {
    const { stream, handler, transport, sent, connection } = await requested(WEBSOCKET);
    assert.match(sent, /connection: upgrade\r\nupgrade: websocket\r\n\r\n$/);
    assert.equal(stream.write(Buffer.from('too early')), false);
    transport.receive(`${SWITCH}raw`);
    assert.deepEqual(handler.headers.at(-1), [
      [':status', '101'],
      ['upgrade', 'websocket'],
    ]);
    assert.equal(handler.text, 'raw');
    stream.end(Buffer.from('back'));
    assert.equal(await transport.sent(), 'back');
    assert.equal(transport.ended, true);
    transport.receiveEnd();
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    assert.equal(connection.acceptsRequests, false);
  });

  test('does not begin with any other status', async () => {
    const { handler, transport, connection } = await requested(WEBSOCKET);
    transport.receive(OK);
    assert.deepEqual(handler.closed, [{ kind: 'normal' }]);
    assert.equal(connection.acceptsRequests, true);
  });

  test('does not begin when nobody asked for it', async () => {
    const { handler, transport } = await requested();
    transport.receive(SWITCH);
    assert.equal(handler.closed[0]?.kind, 'lost');
  });
});
