import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { DnsFrameReader, frameDnsMessage } from '../../../src/dns/dns-stream.ts';
import { type DnsHandler, DnsTcpSession, MAX_QUEUED_ANSWERS } from '../../../src/dns/dns-tcp-session.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

interface Lab extends AsyncDisposable {
  readonly client: Socket;
  readonly clock: ManualClock;
  readonly received: string[];
  readonly closed: () => boolean;
  readonly ended: () => boolean;
}

async function start(handle: DnsHandler): Promise<Lab> {
  const clock = new ManualClock();
  let closed = false;
  let ended = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    new DnsTcpSession(socket, {
      clock,
      handle,
      onClose: () => {
        closed = true;
      },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  const client = connect({ port: bound.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(client, 'connect');
  const reader = new DnsFrameReader(65535);
  const received: string[] = [];
  client.on('error', () => undefined);
  client.on('data', (chunk: Buffer) => received.push(...(reader.push(chunk) ?? []).map(String)));
  client.on('end', () => {
    ended = true;
  });
  return {
    client,
    clock,
    received,
    closed: () => closed,
    ended: () => ended,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const framed = (...texts: string[]) => Buffer.concat(texts.map((text) => frameDnsMessage(Buffer.from(text))));

describe('DnsTcpSession', () => {
  it('answers in the order of readiness and ends after what a half-closed client still gets', async () => {
    let late: (bytes: Buffer) => void = () => undefined;
    await using lab = await start((message) =>
      String(message) === 'slow' ? new Promise((resolve) => (late = resolve)) : Buffer.from(`re ${String(message)}`),
    );
    lab.client.end(framed('slow', 'quick'));
    await eventually('the quick answer', () => lab.received.length === 1);
    assert.equal(lab.ended(), false);
    late(Buffer.from('re slow'));
    await eventually('the end', () => lab.ended());
    assert.deepEqual(lab.received, ['re quick', 're slow']);
  });

  it('looks for no more than 32 answers at once and takes the rest when there is room', async () => {
    const open: ((bytes: Buffer) => void)[] = [];
    await using lab = await start(() => new Promise((resolve) => open.push(resolve)));
    lab.client.write(framed(...Array.from({ length: 100 }, (_, index) => `${index}`)));
    await eventually('the first 32', () => open.length === MAX_QUEUED_ANSWERS);
    lab.client.write(framed('more'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(open.length, MAX_QUEUED_ANSWERS);
    for (let answered = 0; answered < 101; answered++) {
      await eventually('a lookup', () => open.length > answered);
      open[answered]?.(Buffer.from('x'));
    }
    await eventually('all answers', () => lab.received.length === 101);
  });

  it('closes after 5 s without a whole query, single bytes or not, but not while it looks for an answer', async () => {
    let finish: (bytes: Buffer) => void = () => undefined;
    let asked = 0;
    await using lab = await start(() => {
      asked++;
      return new Promise((resolve) => (finish = resolve));
    });
    lab.client.write(framed('q'));
    await eventually('the query', () => asked === 1);
    lab.clock.advance(9000);
    assert.equal(lab.closed(), false);
    finish(Buffer.from('a'));
    await eventually('the answer', () => lab.received.length === 1);
    await eventually('the timer starts over', () => lab.clock.waitingMs[0] === 5000);
    lab.clock.advance(4000);
    lab.client.write(framed('unfinished').subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(lab.closed(), false);
    lab.clock.advance(1000);
    await eventually('the connection is closed', () => lab.closed());
  });

  it('closes on a message that is too long, and sends nothing for what deserves no answer', async () => {
    await using lab = await start(() => undefined);
    lab.client.write(framed('nothing'));
    lab.client.write(Buffer.from([0xff, 0xff]));
    await eventually('the connection is closed', () => lab.closed());
    assert.deepEqual(lab.received, []);
    assert.deepEqual(lab.clock.waitingMs, []);
  });
});
