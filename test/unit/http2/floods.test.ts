/** Attacks of facts performance-and-reliability B.2 rows 1 to 7, against both roles. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import {
  block,
  CONNECT,
  connectedPair,
  frame,
  type RawPeer,
  Recorder,
  rawPeer,
  settle,
  violations,
  word,
} from './harness.ts';

const HEADERS = block(CONNECT);
const FRAMES = 100_000;

/** Sends up to FRAMES frames; returns after how many the connection stopped, and the code of its GOAWAY. */
async function attack(
  peer: RawPeer,
  make: (index: number) => Buffer,
): Promise<{ frames: number; code: number | undefined }> {
  let sent = 0;
  for (; sent < FRAMES && !peer.connection.closed && !peer.transport.ended; sent += 1) {
    peer.send(make(sent));
    if (sent % 1000 === 999) await settle(1);
  }
  const goaway = (await peer.sent()).find((one) => one.type === 7);
  await settle();
  return { frames: sent, code: goaway?.payload.readUInt32BE(4) };
}

async function assertStopped(peer: RawPeer, make: (index: number) => Buffer): Promise<void> {
  const { frames, code } = await attack(peer, make);
  assert.equal(code, Http2Code.ENHANCE_YOUR_CALM);
  assert.ok(frames <= 6000, `${frames} frames`);
  assert.deepEqual([peer.connection.openStreams, peer.closed.length, peer.connection.closed], [0, 1, true]);
}

test('row 1: rapid reset ends the connection and every handler heard of its end', async () => {
  const peer = rawPeer('server');
  await assertStopped(peer, (index) =>
    Buffer.concat([frame(1, 4, index * 2 + 1, HEADERS), frame(3, 0, index * 2 + 1, word(8))]),
  );
  assert.ok(peer.accepted.length <= 501);
  for (const one of peer.accepted) assert.equal(one.handler.closed.length, 1);
});

test('row 1: resets after the answer are ordinary and do not count', async () => {
  const peer = rawPeer('server');
  for (let index = 0; index < 3000; index += 1) {
    peer.send(frame(1, 4, index * 2 + 1, HEADERS));
    peer.accepted.at(-1)?.stream.respond([[':status', '200']]);
    peer.send(frame(3, 0, index * 2 + 1, word(8)));
    if (index % 100 === 0) await settle(3);
  }
  assert.deepEqual(peer.closed, []);
});

test('row 5: a PING for each DATA frame that was sent is ordinary, as gRPC of Go measures the path', async () => {
  const peer = rawPeer('server');
  peer.send(frame(1, 4, 1, HEADERS));
  const stream = peer.accepted.at(-1)?.stream;
  stream?.respond([[':status', '200']]);
  for (let index = 0; index < 5000; index += 1) {
    stream?.write(Buffer.from('message'));
    peer.send(Buffer.concat([frame(8, 0, 0, word(7)), frame(8, 0, 1, word(7)), frame(6, 0, 0, Buffer.alloc(8))]));
    if (index % 50 === 0) await settle(3);
  }
  assert.deepEqual(peer.closed, []);
});

test('row 5: SETTINGS that let every stream send one byte more stop, whatever DATA they lead to', async () => {
  const peer = rawPeer('server');
  const windowOf = (bytes: number) => frame(4, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(bytes)]));
  peer.send(Buffer.concat([windowOf(0), frame(8, 0, 0, word(1_000_000))]));
  for (let id = 1; id < 20; id += 2) {
    peer.send(frame(1, 4, id, HEADERS));
    const stream = peer.accepted.at(-1)?.stream;
    stream?.respond([[':status', '200']]);
    stream?.write(Buffer.alloc(20_000));
  }
  await assertStopped(peer, (index) => windowOf(index + 1));
});

test('row 1: a server that resets our streams at once loses the connection too', async () => {
  const peer = rawPeer('client');
  await assertStopped(peer, (index) => {
    peer.connection.request(CONNECT, new Recorder());
    return frame(3, 0, index * 2 + 1, word(8));
  });
});

const PROVOKED: [string, (id: number) => Buffer][] = [
  ['WINDOW_UPDATE of 0', (id) => Buffer.concat([frame(1, 4, id, HEADERS), frame(8, 0, id, word(0))])],
  [
    'WINDOW_UPDATE that overflows',
    (id) => Buffer.concat([frame(1, 4, id, HEADERS), frame(8, 0, id, word(0x7fffffff))]),
  ],
  ['PRIORITY of wrong length', (id) => Buffer.concat([frame(1, 4, id, HEADERS), frame(2, 0, id, Buffer.alloc(4))])],
  [
    'PRIORITY on itself',
    (id) => Buffer.concat([frame(1, 4, id, HEADERS), frame(2, 0, id, Buffer.concat([word(id), Buffer.alloc(1)]))]),
  ],
  ['DATA after END_STREAM', (id) => Buffer.concat([frame(1, 5, id, HEADERS), frame(0, 0, id, Buffer.alloc(1))])],
  ['HEADERS after END_STREAM', (id) => Buffer.concat([frame(1, 5, id, HEADERS), frame(1, 4, id, HEADERS)])],
  ['malformed requests', (id) => frame(1, 4, id, block([[':method', 'CONNECT']]))],
];
for (const [name, make] of PROVOKED) {
  test(`row 2: resets provoked by ${name} count like the peer's own`, async () => {
    await assertStopped(rawPeer('server'), (index) => make(index * 2 + 1));
  });
}

test('row 3: CONTINUATION without end stops at the frame count or the size', async () => {
  for (const payload of [Buffer.alloc(0), Buffer.alloc(16_000, 0x82)]) {
    const peer = rawPeer('server');
    peer.send(frame(1, 0, 1));
    const { frames, code } = await attack(peer, () => frame(9, 0, 1, payload));
    assert.equal(code, Http2Code.ENHANCE_YOUR_CALM);
    assert.ok(frames <= 1000);
  }
});

test('row 3: an end in the middle of a header block leaves nothing behind', async () => {
  const peer = rawPeer('server');
  peer.send(frame(1, 0, 1, HEADERS.subarray(0, 3)), frame(9, 0, 1, HEADERS.subarray(3, 5)).subarray(0, 10));
  peer.transport.destroy();
  await settle();
  assert.deepEqual([peer.closed.length, peer.accepted.length], [1, 0]);
});

test('row 4: a header list that expands beyond the limit is refused, far beyond it ends the connection', async () => {
  const seed = block([...CONNECT, ['x-crumb', 'c'.repeat(250)]]);
  const peer = rawPeer('server');
  peer.send(frame(1, 4, 1, Buffer.concat([seed, Buffer.alloc(300, 0xbe)])));
  const rst = (await peer.sent()).filter((one) => one.type === 3);
  assert.deepEqual(
    rst.map((one) => one.payload.readUInt32BE()),
    [Http2Code.ENHANCE_YOUR_CALM],
  );
  assert.equal(peer.accepted.length, 0);
  const bomb = rawPeer('server');
  bomb.send(frame(1, 4, 1, Buffer.concat([seed, Buffer.alloc(4000, 0xbe)])));
  assert.equal((await bomb.sent()).find((one) => one.type === 7)?.payload.readUInt32BE(4), Http2Code.ENHANCE_YOUR_CALM);
});

const CONTROL: [string, (index: number) => Buffer][] = [
  ['SETTINGS', () => frame(4, 0, 0)],
  ['SETTINGS ack', () => frame(4, 1, 0)],
  ['PING', () => frame(6, 0, 0, Buffer.alloc(8))],
  ['PING ack', () => frame(6, 1, 0, Buffer.alloc(8))],
  ['PRIORITY', (index) => frame(2, 0, index * 2 + 1, Buffer.alloc(5))],
  ['WINDOW_UPDATE', () => frame(8, 0, 0, word(1))],
  ['unknown frame', () => frame(0xc, 0, 0, Buffer.alloc(40))],
];
for (const [name, make] of CONTROL) {
  for (const role of ['server', 'client'] as const) {
    test(`row 5: a flood of ${name} frames stops, as ${role}`, async () => {
      await assertStopped(rawPeer(role), make);
    });
  }
}

test('row 5: empty DATA frames stop', async () => {
  const peer = rawPeer('server');
  peer.send(frame(1, 4, 1, HEADERS));
  await assertStopped(peer, () => frame(0, 0, 1));
});

test('row 5: control frames at an ordinary pace are answered for ever', async () => {
  const peer = rawPeer('server');
  for (let index = 0; index < 5000; index += 1) {
    peer.clock.advance(20);
    peer.send(frame(6, 0, 0, Buffer.alloc(8)));
    for (const one of index % 50 === 0 ? await peer.sent() : [])
      if (one.type === 6 && one.flags === 0) peer.send(frame(6, 1, 0, one.payload));
  }
  assert.deepEqual(peer.closed, []);
});

test('row 5: a peer that asks and never reads does not make answers pile up', async () => {
  const budgets = { ping: { burst: 1e9, perSecond: 1e9 } };
  const peer = rawPeer('server', { floodBudgets: budgets });
  await settle();
  peer.transport.stalled = true;
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(6, 0, 0, Buffer.alloc(8))));
  let rounds = 0;
  for (; rounds < 1000 && peer.closed.length === 0; rounds += 1) {
    peer.send(pings);
    await settle(1);
  }
  assert.ok(rounds < 100);
  assert.equal((peer.closed[0] as { code?: string }).code, 'HTTP2_OUTPUT_OVERFLOW');
});

test('row 6: connections killed by twenty kinds of errors free their streams and timers', async () => {
  for (const [index, bytes] of violations(HEADERS).entries()) {
    const peer = rawPeer('server');
    peer.send(frame(1, 4, 1, HEADERS));
    peer.send(bytes);
    await settle();
    assert.deepEqual(
      [peer.closed.length, peer.connection.openStreams, peer.clock.pendingTimers, peer.transport.destroyed],
      [1, 0, 0, true],
      `${index}`,
    );
    assert.deepEqual(
      peer.accepted[0]?.handler.closed.map((reason) => reason.kind),
      ['lost'],
      `${index}`,
    );
  }
});

test('row 6: a peer that does not read its GOAWAY is cut off', async () => {
  const peer = rawPeer('server');
  await settle();
  peer.transport.stalled = true;
  peer.send(frame(0, 0, 0));
  await settle();
  assert.equal(peer.closed.length, 0);
  peer.clock.advance(1000);
  await settle();
  assert.equal(peer.closed.length, 1);
});

test('row 7: the connection may be destroyed inside any callback', async () => {
  for (const where of ['onStream', 'onData', 'onEnd', 'onHeaders'] as const) {
    const pair = connectedPair();
    const hit = () => pair.server.destroy();
    const handler = new Recorder();
    pair.handleWith(() => {
      const theirs = new Recorder();
      if (where === 'onStream') hit();
      if (where === 'onData') theirs.onData = hit;
      if (where === 'onEnd') theirs.onEnd = hit;
      return theirs;
    });
    if (where === 'onHeaders') handler.onHeaders = () => pair.client.destroy();
    const opened = pair.client.request(CONNECT, handler);
    assert.ok(opened.ok);
    await settle();
    pair.accepted[0]?.stream.respond([[':status', '200']]);
    opened.value.end(Buffer.from('data'));
    await settle(12);
    assert.deepEqual([handler.closed.length, pair.closed.client.length, pair.closed.server.length], [1, 1, 1], where);
    assert.equal(pair.accepted[0]?.handler.closed.length, 1, where);
  }
});

test('row 7: a stream may be reset inside any of its callbacks', async () => {
  for (const where of ['onData', 'onEnd'] as const) {
    const peer = rawPeer('server');
    peer.send(frame(1, 4, 1, HEADERS));
    const accepted = peer.accepted[0]!;
    accepted.handler[where] = () => accepted.stream.reset(Http2Code.INTERNAL_ERROR);
    peer.send(frame(0, 1, 1, Buffer.from('abc')), frame(1, 4, 3, HEADERS));
    await settle();
    assert.deepEqual(
      [accepted.handler.closed.length, peer.connection.openStreams, peer.closed.length],
      [1, 1, 0],
      where,
    );
  }
});

test('an attack on one connection leaves its siblings alone', async () => {
  const [attacked, sibling] = [rawPeer('server'), connectedPair()];
  await assertStopped(attacked, () => frame(6, 0, 0, Buffer.alloc(8)));
  const handler = new Recorder();
  sibling.client.request(CONNECT, handler);
  await settle();
  sibling.accepted[0]?.stream.respond([[':status', '200']]);
  await settle();
  assert.equal(handler.headers.length, 1);
});
