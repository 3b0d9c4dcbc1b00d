/** Mutated messages into the parser and whole connections of HTTP/1: nothing may throw, grow, or depend on the split. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpStream } from '../../src/http/http-stream.ts';
import { bytes, client, get, Recorder, read, server, settle, TestTransport } from '../unit/http1/harness.ts';
import { CORPUS } from '../unit/http1/smuggling-corpus.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const LIMITS = { headBytes: 400, startLineBytes: 100, fields: 10 };
const INTERESTING = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '0',
  '-',
  '\x80',
  'chunked',
  'f'.repeat(14),
];
const RESPONSES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nhello',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw',
];

type Random = (below: number) => number;

/** A small generator with a seed, so that a failure can be repeated. */
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(text: string, random: Random): string {
  let mutated = text;
  for (let count = random(4); count > 0; count -= 1) {
    const at = random(mutated.length + 1);
    const insert = random(3) === 0 ? String.fromCharCode(random(256)) : (INTERESTING[random(INTERESTING.length)] ?? '');
    mutated = mutated.slice(0, at) + insert + mutated.slice(at + random(3));
  }
  return mutated;
}

function pick(from: readonly string[], random: Random): string {
  return from[random(from.length)] ?? '';
}

function cut(message: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const end = at + 1 + random(30);
    pieces.push(message.subarray(at, end));
    at = end;
  }
  return pieces;
}

test('parser: any message is read or a fault, the same at any split and within the limits', () => {
  const requests = CORPUS.map(({ text }) => text);
  const untilMs = performance.now() + FUZZ_MS / 2;
  for (let seed = 1; performance.now() < untilMs; seed += 1) {
    const random = generator(seed);
    const response = random(3) === 0;
    const message = bytes(mutate(pick(response ? RESPONSES : requests, random), random));
    const context = { method: pick(['GET', 'HEAD', 'CONNECT'], random), upgrade: random(2) === 0 };
    const options = { limits: LIMITS, ...(response ? { context } : {}) };
    const whole = read([message], options);
    const split = read(cut(message, random), options);
    const shown = `seed ${seed}: ${JSON.stringify(message.toString('latin1'))}`;
    assert.deepEqual({ ...split, mostHeldBytes: 0 }, { ...whole, mostHeldBytes: 0 }, shown);
    assert.ok(split.mostHeldBytes <= 8192 + 4, shown);
  }
});

type Own = ReturnType<typeof client>;
type Other = ReturnType<typeof server>;

/** Answers a request in any way, right or wrong. */
function answer(stream: HttpStream, random: Random): void {
  const status = pick(['100', '101', '200', '204', '403'], random);
  const acts = [
    () =>
      stream.respond([
        [':status', status],
        ['upgrade', 'x'],
      ]),
    () => stream.respond([[':status', status]], true),
    () => stream.write(Buffer.alloc(random(100))),
    () => stream.end(Buffer.alloc(random(10))),
    () => stream.sendTrailers([['x-t', '1']]),
    () => stream.releaseCredit(),
    () => random(5) === 0 && stream.reset(),
  ];
  for (let count = random(5); count > 0; count -= 1) acts[random(acts.length)]?.();
}

/** Sends a request; returns its handler when it went out. */
function ask({ connection }: Own, random: Random): Recorder | undefined {
  const handler = new Recorder();
  const headers = [...get('/', pick(['GET', 'POST', 'HEAD'], random)), ['upgrade', 'websocket'] as const];
  const request = connection.request(headers.slice(0, 4 + random(2)), handler, random(2) === 0);
  if (!request.ok) return undefined;
  if (random(2) === 0) answer(request.value, random);
  return handler;
}

function receive({ transport }: Own | Other, messages: readonly string[], random: Random): void {
  for (const piece of cut(bytes(mutate(pick(messages, random), random)), random)) {
    if (!transport.paused) transport.receive(piece);
  }
  if (random(8) === 0) transport.receiveEnd();
}

test('connections: whatever comes in, each exchange and each connection ends once', async () => {
  const requests = CORPUS.map(({ text }) => text);
  const untilMs = performance.now() + FUZZ_MS / 2;
  for (let seed = 1; performance.now() < untilMs; seed += 1) {
    const random = generator(seed);
    const own = client({}, new TestTransport(random(2) === 0));
    const other = server(
      { allowConnect: random(2) === 0 },
      ({ stream }) => answer(stream, random),
      new TestTransport(random(2) === 0),
    );
    const handlers: Recorder[] = [];
    for (let count = random(6); count > 0; count -= 1) {
      const handler = ask(own, random);
      if (handler !== undefined) handlers.push(handler);
      receive(own, RESPONSES, random);
      receive(other, requests, random);
      for (const { stream } of other.accepted) answer(stream, random);
      if (random(4) === 0) await settle(1);
    }
    own.connection.destroy();
    other.connection.destroy();
    await settle(1);
    const shown = `seed ${seed}`;
    assert.deepEqual([own.closed.length, other.closed.length], [1, 1], shown);
    for (const { closed } of [...handlers, ...other.accepted.map(({ handler }) => handler)]) {
      assert.equal(closed.length, 1, shown);
    }
  }
});
