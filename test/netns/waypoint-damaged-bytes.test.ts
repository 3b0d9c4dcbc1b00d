/**
 * Good bytes with random damage, from clients, through tunnels and from endpoints, at a real waypoint. Nobody says what has
 * to come of each; the same process has to serve a sibling afterwards, with no more memory than a bound.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Header } from '../../src/http2/header.ts';
import { AttackedWaypoint, CLOSE, pod, request, service } from '../helpers/attacked-waypoint.ts';
import { seededRandom } from '../helpers/seeded-random.ts';
import { testSpiffeId } from '../helpers/test-ca.ts';
import { CORPUS } from '../unit/http1/smuggling-corpus.ts';
import { block, frame, PREFACE } from '../unit/http2/harness.ts';

const AT_A_TIME = 100;
const ENOUGH_MS = 1000;
const MAX_GROWTH_BYTES = 128 * 1_048_576;
const OPENING = Buffer.concat([PREFACE, frame(4, 0, 0)]);

const GET: readonly Header[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'site'],
  [':path', '/damaged'],
  ['x-a', 'b'],
];
const POST = GET.map((header): Header => (header[0] === ':method' ? [':method', 'POST'] : header));
const REQUESTS_1 = [
  ...CORPUS.map(({ text }) => Buffer.from(text, 'latin1')),
  Buffer.from(`${request('POST', '/damaged', 'Transfer-Encoding: chunked\r\n')}3\r\nabc\r\n0\r\nX: y\r\n\r\n`),
  Buffer.from(request('GET', '/damaged', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')),
];
const REQUESTS_2 = [
  [frame(1, 5, 1, block(GET)), frame(1, 5, 3, block(GET))],
  [frame(1, 4, 1, block(POST)), frame(0, 0, 1, Buffer.from('abc')), frame(1, 5, 1, block([['x-sum', '1']]))],
  [frame(1, 0, 1, block(GET).subarray(0, 9)), frame(9, 4, 1, block(GET).subarray(9)), frame(6, 0, 0, Buffer.alloc(8))],
  [
    frame(1, 4, 1, block(POST)),
    frame(8, 0, 1, Buffer.of(0, 0, 1, 0)),
    frame(0, 1, 1, Buffer.from('a')),
    frame(3, 0, 1, Buffer.alloc(4)),
  ],
].map((frames) => Buffer.concat([OPENING, ...frames]));
const ANSWERS_1 = [
  'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: y\r\n\r\nbody',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\nto the end',
].map((text) => Buffer.from(text));
const OK: readonly Header[] = [
  [':status', '200'],
  ['x-a', 'b'],
];
const ANSWERS_2 = [
  [frame(1, 4, 1, block(OK)), frame(0, 0, 1, Buffer.from('body')), frame(1, 5, 1, block([['grpc-status', '0']]))],
  [frame(1, 4, 1, block([[':status', '103']])), frame(1, 5, 1, block(OK)), frame(3, 0, 1, Buffer.alloc(4))],
  [frame(1, 4, 1, block(OK)), frame(0, 1, 1, Buffer.from('body')), frame(7, 0, 0, Buffer.alloc(8))],
].map((frames) => Buffer.concat([frame(4, 0, 0), frame(4, 1, 0), ...frames]));

const random = seededRandom(24);
const below = (limit: number) => Math.floor(random() * limit);
const oneOf = (list: readonly Buffer[]): Buffer => list[below(list.length)] ?? Buffer.alloc(0);

/** Changed, cut, doubled or with something put in, up to three times. */
function damaged(list: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(oneOf(list));
  for (let hits = 1 + below(3); hits > 0 && bytes.length > 0; hits--) {
    const at = below(bytes.length);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
    const kind = below(6);
    if (kind === 0) bytes[at] = below(256);
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    else if (kind === 2) bytes = Buffer.concat([head, tail.subarray(1 + below(4))]);
    else if (kind === 3)
      bytes = Buffer.concat([head, Buffer.from(['\r\n', '\0', ' ', ':', '\xff'][below(5)] ?? '', 'latin1'), tail]);
    else if (kind === 4) bytes = Buffer.concat([head, tail.subarray(0, 20), tail]);
    else bytes = Buffer.from(head);
  }
  return bytes;
}

const hex = (list: readonly Buffer[]) =>
  JSON.stringify(Array.from({ length: 250 }, () => damaged(list).toString('hex')));

/** Gives each request the next of the answers, which stand in a file as hexadecimal texts. */
const NOISY = `
const answers = JSON.parse(process.argv[1]);
let next = 0;
require('net').createServer((s) => {
  s.on('error', () => 0).on('data', () => s.write(Buffer.from(answers[next++ % answers.length], 'hex'))).setTimeout(400, () => s.destroy());
}).listen(8080, '::');`;

const waypoint = new AttackedWaypoint();
let beforeBytes = 0;

before(() =>
  waypoint.up(
    [
      service('noisy', 80, 8080),
      service('noisy2', 80, 8080, 'http2'),
      pod('noisy', 'node2', ['node', '-e', NOISY, hex(ANSWERS_1)], {}, 8080),
      pod('noisy2', 'node2', ['node', '-e', NOISY, hex(ANSWERS_2)], {}, 8080),
    ],
    2,
  ),
);
after(() => waypoint[Symbol.asyncDispose]());

/** Writes each of the texts on a connection of its own, and ends it when it was answered or for so long not. */
async function spray(count: number, open: () => Promise<Socket>, make: () => Buffer): Promise<number> {
  let answered = 0;
  for (let at = 0; at < count; at += AT_A_TIME) {
    const some = Array.from({ length: AT_A_TIME }, async () => {
      const socket = await open();
      let bytes = 0;
      socket
        .on('error', () => undefined)
        .on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(make());
      if (below(2) === 0) socket.end();
      await Promise.race([closed, delay(ENOUGH_MS)]);
      socket.destroy();
      if (bytes > 0) answered++;
    });
    await Promise.all(some);
  }
  return answered;
}

describe('a waypoint that gets damaged bytes', { timeout: 110_000 }, () => {
  beforeEach(() => {
    beforeBytes = waypoint.rssBytes();
  });
  const withstood = async () => {
    await waypoint.withstood();
    const more = waypoint.rssBytes() - beforeBytes;
    assert.ok(more < MAX_GROWTH_BYTES, `${more} bytes more`);
  };

  it('in HTTP/1 of clients', async () => {
    const answered = await spray(
      600,
      () => waypoint.dial(),
      () => damaged(REQUESTS_1),
    );
    assert.ok(answered > 100, `${answered} answered`);
    await withstood();
  });

  it('in HTTP/2 of clients', async () => {
    const answered = await spray(
      600,
      () => waypoint.dial(),
      () => damaged(REQUESTS_2),
    );
    assert.ok(answered > 100, `${answered} answered`);
    await withstood();
  });

  it('in tunnels, around requests and in them', async () => {
    const leaf = waypoint.ca.leaf({ uri: testSpiffeId('web', 'stranger') });
    const connect = frame(
      1,
      4,
      1,
      block([
        [':method', 'CONNECT'],
        [':authority', 'site.web.svc.cluster.local:80'],
      ]),
    );
    const inside = [...REQUESTS_1, ...REQUESTS_2];
    const open = async () =>
      connectTls({
        socket: await waypoint.dialTunnel(),
        key: leaf.keyPem,
        cert: leaf.chainPem,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      });
    const whole = () => Buffer.concat([OPENING, connect, frame(0, below(2), 1, oneOf(inside))]);
    const answered = await spray(300, open, () => damaged([whole()]));
    const within = await spray(300, open, () =>
      Buffer.concat([OPENING, connect, frame(0, below(2), 1, damaged(inside))]),
    );
    assert.ok(answered > 50 && within > 50, `${answered} and ${within} answered`);
    await withstood();
  });

  it('in the answers of endpoints, in either version', async () => {
    for (const host of ['noisy', 'noisy2']) {
      const asked = Buffer.from(request('GET', '/noise', CLOSE));
      const answered = await spray(
        400,
        () => waypoint.dial(host),
        () => asked,
      );
      assert.ok(answered > 20, `${host}: ${answered} answered`);
      await withstood();
    }
  });
});
