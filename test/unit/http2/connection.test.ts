import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import { block, CONNECT, connectedPair, frame, PREFACE, Recorder, rawPeer, settle, word } from './harness.ts';

const HEADERS = block(CONNECT);
const OK = block([[':status', '200']]);

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

test('both roles open with SETTINGS and connection window as HBONE peers do', async () => {
  const settings = (...pairs: [number, number][]) =>
    Buffer.concat(pairs.map(([id, value]) => setting(id, value))).toString('hex');
  for (const role of ['client', 'server'] as const) {
    const [first, second] = await rawPeer(role, {}, false).sent();
    const own: [number, number][] =
      role === 'client'
        ? [
            [2, 0],
            [4, 4194304],
            [5, 1048576],
            [6, 16384],
          ]
        : [
            [3, 200],
            [4, 4194304],
            [5, 1048576],
            [6, 65536],
          ];
    assert.equal(first?.payload.toString('hex'), settings(...own));
    assert.deepEqual([second?.type, second?.id, second?.payload.readUInt32BE()], [8, 0, 16711681]);
  }
});

test('a tunnel carries data both ways and half-close is kept', async () => {
  const pair = connectedPair();
  const mine = new Recorder();
  const opened = pair.client.request(CONNECT, mine);
  assert.ok(opened.ok);
  await settle();
  const [theirs] = pair.accepted;
  assert.deepEqual(theirs?.headers, CONNECT);
  assert.ok(theirs.stream.respond([[':status', '200']]));
  opened.value.end(Buffer.from('ping'));
  await settle();
  assert.deepEqual([theirs.handler.text, theirs.handler.ended, mine.headers], ['ping', 1, [[[':status', '200']]]]);
  assert.equal(theirs.stream.state, 'half-closed-remote');
  theirs.stream.write(Buffer.from('po'));
  await settle();
  theirs.stream.end(Buffer.from('ng'));
  await settle();
  assert.deepEqual([mine.text, mine.ended, mine.closed], ['pong', 1, [{ kind: 'normal' }]]);
  assert.deepEqual(theirs.handler.closed, [{ kind: 'normal' }]);
  assert.deepEqual([pair.client.openStreams, pair.server.openStreams], [0, 0]);
});

test('a stream that is not read stops its sender at the stream window and blocks no sibling', async () => {
  const settings = { initialWindowBytes: 65_536, connectionWindowBytes: 262_144 };
  const pair = connectedPair({}, { settings });
  let consume = false;
  pair.handleWith(() => new Recorder(consume));
  const slow = pair.client.request(CONNECT, new Recorder());
  await settle();
  consume = true;
  const fast = pair.client.request(CONNECT, new Recorder());
  await settle();
  assert.ok(slow.ok && fast.ok);
  assert.equal(slow.value.write(Buffer.alloc(100_000)), false);
  for (let round = 0; round < 50; round += 1) {
    fast.value.write(Buffer.alloc(20_000));
    await settle(4);
  }
  const [stalled, moving] = pair.accepted.map((one) => Buffer.concat(one.handler.chunks).length);
  assert.deepEqual([stalled, moving, slow.value.pendingBytes], [65_536, 1_000_000, 100_000 - 65_536]);
  pair.accepted[0]?.stream.consume(65_536);
  await settle();
  assert.equal(Buffer.concat(pair.accepted[0]?.handler.chunks ?? []).length, 100_000);
  assert.equal(slow.value.pendingBytes, 0);
});

test('what waited arrives whole and in order, in whatever parts it leaves, while its writer uses the memory again', async () => {
  const pair = connectedPair({}, { settings: { initialWindowBytes: 65_536, connectionWindowBytes: 262_144 } });
  pair.handleWith(() => new Recorder(false));
  const opened = pair.client.request(CONNECT, new Recorder());
  await settle();
  assert.ok(opened.ok);
  const memory = Buffer.alloc(60_000);
  const written: Buffer[] = [];
  for (const [index, length] of [60_000, 60_000, 10, 9000, 60_000, 5000].entries()) {
    const chunk = memory.subarray(0, length).fill(index + 1);
    written.push(Buffer.from(chunk));
    opened.value.write(chunk);
  }
  opened.value.end();
  for (let round = 0; round < 60; round += 1) {
    pair.accepted[0]?.stream.consume(7001);
    await settle(4);
  }
  const [{ handler } = { handler: new Recorder() }] = pair.accepted;
  assert.equal(handler.ended, 1);
  assert.ok(Buffer.concat(handler.chunks).equals(Buffer.concat(written)));
});

test('a blocked transport holds writers back and wakes them all', async () => {
  const pair = connectedPair();
  await settle();
  const handlers = [new Recorder(), new Recorder(), new Recorder()];
  const streams = handlers.map((handler) => pair.client.request(CONNECT, handler));
  await settle();
  pair.clientTransport.stalled = true;
  for (const opened of streams) {
    assert.ok(opened.ok);
    let written = 0;
    while (opened.value.write(Buffer.alloc(50_000, 'w')) && written < 20) written += 1;
    assert.ok(written < 20);
  }
  pair.clientTransport.resume();
  await settle(30);
  assert.deepEqual(
    handlers.map((handler) => handler.writable),
    [1, 1, 1],
  );
});

test('SETTINGS that shrink the window in mid-stream make it negative and data waits', async () => {
  const peer = rawPeer('client');
  const opened = peer.connection.request(CONNECT, new Recorder());
  assert.ok(opened.ok);
  peer.send(frame(1, 4, 1, OK));
  opened.value.write(Buffer.alloc(60_000));
  peer.send(frame(4, 0, 0, setting(4, 1000)));
  opened.value.write(Buffer.alloc(10));
  await peer.sent();
  peer.send(frame(8, 0, 1, word(59_000)));
  assert.deepEqual(
    (await peer.sent()).filter((one) => one.type === 0),
    [],
  );
  peer.send(frame(8, 0, 1, word(5)));
  assert.deepEqual(
    (await peer.sent()).filter((one) => one.type === 0).map((one) => one.payload.length),
    [5],
  );
});

test('credit comes back in batches and only for what was consumed', async () => {
  const peer = rawPeer('server', { settings: { initialWindowBytes: 40_000, connectionWindowBytes: 160_000 } });
  const handler = new Recorder(false);
  peer.send(frame(1, 4, 1, HEADERS));
  const accepted = peer.accepted[0]!;
  accepted.stream.setHandler(handler);
  peer.send(frame(0, 0, 1, Buffer.alloc(16_000)), frame(0, 0, 1, Buffer.alloc(16_000)));
  assert.deepEqual(
    (await peer.sent()).filter((one) => one.type === 8 && one.id === 1),
    [],
  );
  accepted.stream.consume(9_000);
  assert.deepEqual(
    (await peer.sent()).filter((one) => one.type === 8),
    [],
  );
  accepted.stream.consume(3_000);
  const updates = (await peer.sent()).filter((one) => one.type === 8);
  assert.deepEqual(
    updates.map((one) => [one.id, one.payload.readUInt32BE()]),
    [[1, 12_000]],
  );
});

test('padding counts for flow control and its credit returns at once', async () => {
  const peer = rawPeer('server', { settings: { initialWindowBytes: 1000, connectionWindowBytes: 70_000 } });
  peer.send(frame(1, 4, 1, HEADERS));
  for (let round = 0; round < 20; round += 1)
    peer.send(frame(0, 8, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(201, 'd')])));
  await peer.sent();
  assert.deepEqual([peer.accepted[0]?.handler.text.length, peer.closed], [20, []]);
});

test('data that a handler keeps holds little more memory than it has bytes, whatever came with it', async () => {
  const peer = rawPeer('server');
  peer.send(frame(1, 4, 1, HEADERS));
  for (let round = 0; round < 20; round += 1) {
    peer.send(
      frame(0, 0, 1, Buffer.of(round)),
      frame(0, 8, 1, Buffer.alloc(16_000, 255)),
      frame(6, 0, 0, Buffer.alloc(8)),
    );
  }
  for (let round = 0; round < 20; round += 1) {
    peer.send(frame(0, 0, 1, Buffer.of(round)), frame(99, 0, 0, Buffer.alloc(16_000)));
  }
  const chunks = (peer.accepted[0]?.handler.chunks ?? []).filter(({ length }) => length === 1);
  assert.equal(chunks.length, 40);
  const memories = [...new Set(chunks.map(({ buffer }) => buffer))];
  const heldBytes = memories.reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.equal(heldBytes, chunks.length);
  await settle();
});

test('connection faults end with GOAWAY of the right code', async () => {
  const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR } = Http2Code;
  const cases: [string, number, Buffer[]][] = [
    ['DATA on idle', PROTOCOL_ERROR, [frame(0, 0, 5)]],
    ['RST on idle', PROTOCOL_ERROR, [frame(3, 0, 5, word(8))]],
    ['WINDOW_UPDATE on idle', PROTOCOL_ERROR, [frame(8, 0, 5, word(1))]],
    ['HEADERS with even id', PROTOCOL_ERROR, [frame(1, 4, 2, HEADERS)]],
    ['WINDOW_UPDATE 0', PROTOCOL_ERROR, [frame(8, 0, 0, word(0))]],
    ['window overflow', FLOW_CONTROL_ERROR, [frame(8, 0, 0, word(0x7fffffff))]],
    ['HPACK', COMPRESSION_ERROR, [frame(1, 4, 1, Buffer.from([0xff]))]],
    ['INITIAL_WINDOW_SIZE', FLOW_CONTROL_ERROR, [frame(4, 0, 0, setting(4, 0x80000000))]],
    ['MAX_FRAME_SIZE', PROTOCOL_ERROR, [frame(4, 0, 0, setting(5, 16_383))]],
    ['ENABLE_PUSH', PROTOCOL_ERROR, [frame(4, 0, 0, setting(2, 2))]],
    [
      'HEADERS for a stream that was passed by',
      Http2Code.STREAM_CLOSED,
      [frame(1, 4, 5, HEADERS), frame(1, 4, 3, HEADERS)],
    ],
  ];
  for (const [name, code, frames] of cases) {
    const peer = rawPeer('server');
    peer.send(...frames);
    const goaway = (await peer.sent()).find((one) => one.type === 7);
    assert.equal(goaway?.payload.readUInt32BE(4), code, name);
    await settle();
    assert.deepEqual([peer.closed.length, peer.transport.destroyed, peer.connection.closed], [1, true, true], name);
    assert.equal(peer.clock.pendingTimers, 0, name);
  }
});

test('stream faults reset the stream and leave the connection alone', async () => {
  const { PROTOCOL_ERROR, STREAM_CLOSED, FLOW_CONTROL_ERROR } = Http2Code;
  const open = frame(1, 4, 1, HEADERS);
  const cases: [string, number, Buffer[]][] = [
    ['DATA after END_STREAM', STREAM_CLOSED, [frame(1, 5, 1, HEADERS), frame(0, 0, 1, Buffer.alloc(5))]],
    ['HEADERS after END_STREAM', STREAM_CLOSED, [frame(1, 5, 1, HEADERS), frame(1, 4, 1, HEADERS)]],
    ['WINDOW_UPDATE 0', PROTOCOL_ERROR, [open, frame(8, 0, 1, word(0))]],
    ['window overflow', FLOW_CONTROL_ERROR, [open, frame(8, 0, 1, word(0x7fffffff))]],
    ['HEADERS in a tunnel', PROTOCOL_ERROR, [open, frame(1, 5, 1, block([['x', 'y']]))]],
    ['malformed request', PROTOCOL_ERROR, [frame(1, 4, 1, block([[':method', 'CONNECT']]))]],
    [
      'content-length',
      PROTOCOL_ERROR,
      [
        frame(
          1,
          4,
          1,
          block([
            [':method', 'POST'],
            [':scheme', 'https'],
            [':path', '/'],
            ['content-length', '3'],
          ]),
        ),
        frame(0, 1, 1, Buffer.alloc(4)),
      ],
    ],
  ];
  for (const [name, code, frames] of cases) {
    const peer = rawPeer('server');
    peer.send(...frames);
    const rst = (await peer.sent()).filter((one) => one.type === 3);
    assert.deepEqual(
      rst.map((one) => one.payload.readUInt32BE()),
      [code],
      name,
    );
    assert.deepEqual([peer.closed.length, peer.connection.openStreams], [0, 0], name);
    peer.send(frame(1, 4, 3, HEADERS));
    assert.equal(peer.connection.openStreams, 1, name);
  }
});

test('DATA beyond the stream window resets, beyond the connection window ends the connection', async () => {
  const settings = { initialWindowBytes: 20_000, connectionWindowBytes: 70_000 };
  const peer = rawPeer('server', { settings });
  for (const id of [1, 3, 5, 7]) {
    peer.send(frame(1, 4, id, HEADERS));
    peer.accepted.at(-1)?.stream.setHandler(new Recorder(false));
  }
  peer.send(frame(0, 0, 1, Buffer.alloc(20_001)));
  assert.deepEqual(
    (await peer.sent()).filter((one) => one.type === 3).map((one) => one.payload.readUInt32BE()),
    [Http2Code.FLOW_CONTROL_ERROR],
  );
  for (const id of [3, 5, 7]) peer.send(frame(0, 0, id, Buffer.alloc(20_000)));
  assert.equal(peer.closed.length, 0);
  peer.send(frame(1, 4, 9, HEADERS), frame(0, 0, 9, Buffer.alloc(20_000)));
  assert.equal(
    (await peer.sent()).find((one) => one.type === 7)?.payload.readUInt32BE(4),
    Http2Code.FLOW_CONTROL_ERROR,
  );
});

test('streams above the limit are refused and those below go on', async () => {
  const peer = rawPeer('server', { settings: { maxConcurrentStreams: 2 } });
  for (const id of [1, 3, 5]) peer.send(frame(1, 4, id, HEADERS));
  const rst = (await peer.sent()).filter((one) => one.type === 3);
  assert.deepEqual(
    rst.map((one) => [one.id, one.payload.readUInt32BE()]),
    [[5, Http2Code.REFUSED_STREAM]],
  );
  assert.equal(peer.connection.openStreams, 2);
});

test('frames for a stream this side reset are taken as late', async () => {
  const peer = rawPeer('server');
  peer.send(frame(1, 4, 1, HEADERS));
  peer.accepted[0]?.stream.reset();
  peer.send(frame(0, 0, 1, Buffer.alloc(1000)), frame(8, 0, 1, word(5)), frame(3, 0, 1, word(8)));
  assert.deepEqual((await peer.sent()).filter((one) => one.type === 3).length, 1);
  assert.deepEqual([peer.closed, peer.accepted[0]?.handler.closed.length], [[], 1]);
});

test('a client keeps to the limit of its peer and refuses what cannot be sent', async () => {
  const peer = rawPeer('client');
  peer.send(frame(4, 0, 0, Buffer.concat([setting(3, 1), setting(6, 200)])));
  assert.equal(peer.connection.peerMaxConcurrentStreams, 1);
  const codeOf = (headers: Parameters<typeof peer.connection.request>[0]) => {
    const result = peer.connection.request(headers, new Recorder());
    return result.ok ? 'ok' : result.error.code;
  };
  assert.equal(codeOf([...CONNECT, ['x', 'a\r\nb']]), 'HTTP2_HEADERS_INVALID');
  assert.equal(codeOf([...CONNECT, ['x', 'a'.repeat(200)]]), 'HTTP2_HEADERS_INVALID');
  assert.equal(codeOf(CONNECT), 'ok');
  assert.equal(peer.connection.acceptsRequests, false);
  assert.equal(codeOf(CONNECT), 'HTTP2_TOO_MANY_STREAMS');
});

test('GOAWAY of a server ends unprocessed streams, lets the others finish, then the connection', async () => {
  const pair = [new Recorder(), new Recorder()] as const;
  const peer = rawPeer('client');
  const [first] = pair.map((handler) => peer.connection.request(CONNECT, handler));
  peer.send(frame(7, 0, 0, Buffer.concat([word(1), word(0)])));
  assert.deepEqual(pair[1].closed, [{ kind: 'unprocessed' }]);
  const refused = peer.connection.request(CONNECT, new Recorder());
  assert.equal(!refused.ok && refused.error.code, 'HTTP2_NOT_ACCEPTING');
  peer.send(frame(1, 4, 1, OK), frame(0, 1, 1, Buffer.from('last')));
  assert.equal(pair[0].text, 'last');
  assert.ok(first?.ok);
  first.value.end();
  await settle();
  assert.deepEqual([pair[0].closed, peer.closed], [[{ kind: 'normal' }], [undefined]]);
});

test('a draining server announces, names its last stream after a round trip, and closes with the last stream', async () => {
  const pair = connectedPair();
  const mine = new Recorder();
  const opened = pair.client.request(CONNECT, mine);
  await settle();
  pair.server.drain();
  await settle();
  assert.equal(pair.client.acceptsRequests, false);
  assert.deepEqual(pair.closed, { client: [], server: [] });
  const [theirs] = pair.accepted;
  theirs?.stream.respond([[':status', '200']]);
  theirs?.stream.end(Buffer.from('bye'));
  assert.ok(opened.ok);
  opened.value.end();
  await settle(12);
  assert.deepEqual([mine.text, mine.closed], ['bye', [{ kind: 'normal' }]]);
  assert.deepEqual(pair.closed, { client: [undefined], server: [undefined] });
});

test('an idle connection that is drained closes on both sides without an error', async () => {
  const pair = connectedPair();
  await settle();
  pair.client.drain();
  await settle(12);
  assert.deepEqual(pair.closed, { client: [undefined], server: [undefined] });
});

test('a lost transport ends every stream once, with the reason', async () => {
  const pair = connectedPair();
  const handlers = [new Recorder(), new Recorder()];
  for (const handler of handlers) pair.client.request(CONNECT, handler);
  await settle();
  pair.serverTransport.destroy();
  await settle(12);
  for (const handler of [...handlers, ...pair.accepted.map((one) => one.handler)]) {
    assert.deepEqual(
      handler.closed.map((reason) => reason.kind),
      ['lost'],
    );
  }
  assert.deepEqual([pair.closed.client.length, pair.closed.server.length], [1, 1]);
});

test('ping measures a round trip and ends with the connection', async () => {
  const pair = connectedPair();
  await settle();
  const answered = pair.client.ping();
  pair.clock.advance(7);
  assert.equal(await answered, 7);
  pair.serverTransport.stalled = true;
  const lost = pair.client.ping();
  pair.client.destroy();
  assert.equal(await lost, -1);
});

test('keep-alive pings after ten seconds, again after each answer, and gives up after twenty', async () => {
  const peer = rawPeer('server');
  await peer.sent();
  for (let round = 0; round < 3; round += 1) {
    peer.clock.advance(9_999);
    assert.deepEqual(await peer.sent(), []);
    peer.clock.advance(1);
    const [ping] = await peer.sent();
    assert.deepEqual([ping?.type, ping?.flags], [6, 0]);
    peer.send(frame(6, 1, 0, ping?.payload));
  }
  peer.clock.advance(10_000);
  await peer.sent();
  peer.clock.advance(20_000);
  const goaway = (await peer.sent()).find((one) => one.type === 7);
  assert.equal(goaway?.payload.readUInt32BE(4), Http2Code.NO_ERROR);
  await settle();
  assert.equal((peer.closed[0] as { code?: string }).code, 'HTTP2_PING_TIMEOUT');
  assert.equal(peer.clock.pendingTimers, 0);
});

test('interim responses come before the final one, and trailers after an ordinary body', async () => {
  const peer = rawPeer('client');
  const handler = new Recorder();
  peer.connection.request(
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/'],
      [':authority', 'a'],
    ],
    handler,
    true,
  );
  peer.send(
    frame(1, 4, 1, block([[':status', '103']])),
    frame(1, 4, 1, OK),
    frame(0, 0, 1, Buffer.from('body')),
    frame(1, 5, 1, block([['grpc-status', '0']])),
  );
  assert.deepEqual(
    handler.headers.map((headers) => headers[0]?.[1]),
    ['103', '200', '0'],
  );
  assert.deepEqual([handler.text, handler.closed], ['body', [{ kind: 'normal' }]]);
});

test('large header lists travel in CONTINUATION frames', async () => {
  const pair = connectedPair({}, {});
  await settle();
  const peer = rawPeer('client');
  const big = [...CONNECT, ...Array.from({ length: 10 }, (_, index) => [`x-${index}`, 'v'.repeat(3000)] as const)];
  peer.connection.request(big, new Recorder());
  const frames = (await peer.sent()).filter((one) => one.type === 1 || one.type === 9);
  assert.deepEqual(
    frames.map((one) => [one.type, one.flags]),
    [
      [1, 0],
      [9, 4],
    ],
  );
  pair.client.request(big, new Recorder());
  await settle();
  assert.deepEqual(pair.accepted[0]?.headers, big);
});

test('nothing is sent before the preface came and garbage closes the connection', async () => {
  const peer = rawPeer('server', {}, false);
  peer.send(PREFACE.subarray(0, 5));
  peer.send(Buffer.from('garbage that is no preface'));
  await settle();
  assert.equal(peer.closed.length, 1);
});
