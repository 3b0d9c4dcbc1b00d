import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { BlockPool } from '../../../src/http2/block-pool.ts';
import { Http2Connection } from '../../../src/http2/connection.ts';
import { Http2Code } from '../../../src/http2/http2-error.ts';
import { relayStreams } from '../../../src/http2/relay-streams.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from '../../../src/http2/stream.ts';
import { StreamHolder } from '../../../src/http2/stream-holder.ts';
import { eventually } from '../../helpers/eventually.ts';
import { CONNECT, MemoryTransport, Recorder } from './harness.ts';

const pool = new BlockPool();

function connectionPair(onStream: (stream: Http2Stream) => StreamHandler, settings = {}) {
  const [a, b] = [new MemoryTransport(), new MemoryTransport()];
  a.peer = b;
  b.peer = a;
  const options = { clock: systemClock, pool, settings };
  const server = new Http2Connection(b, 'server', options, { onStream, onClosed: () => undefined });
  const client = new Http2Connection(a, 'client', options, { onClosed: () => undefined });
  return { client, server };
}

/** Collects what arrives; while `slow`, no credit goes back. */
class Collector implements StreamHandler {
  readonly hash = createHash('sha256');
  bytes = 0;
  ended = false;
  slow = false;
  reason: StreamCloseReason | undefined;
  stream: Http2Stream | undefined;
  #heldBytes = 0;

  onData(stream: Http2Stream, chunk: Buffer): void {
    this.stream = stream;
    this.hash.update(chunk);
    this.bytes += chunk.length;
    if (this.slow) this.#heldBytes += chunk.length;
    else stream.consume(chunk.length);
  }

  recover(): void {
    this.slow = false;
    this.stream?.consume(this.#heldBytes);
    this.#heldBytes = 0;
  }

  onHeaders(): void {
    // The answer to the CONNECT request.
  }

  onWritable: (stream: Http2Stream) => void = () => undefined;

  onEnd(): void {
    this.ended = true;
  }

  onClosed(_stream: Http2Stream, reason: StreamCloseReason): void {
    this.reason = reason;
  }
}

/** Client -> proxy -> server; the proxy relays between the two streams. */
function chain(settings = {}) {
  const far = new Collector();
  const near = new Collector();
  const done: (StreamCloseReason | undefined)[] = [];
  const counters = { bytesFromSocket: 0, bytesToSocket: 0 };
  let accepted: Http2Stream | undefined;
  const behind = connectionPair((stream) => {
    accepted = stream;
    stream.respond([[':status', '200']]);
    return far;
  }, settings);
  const front = connectionPair((stream) => {
    const holder = new StreamHolder(() => undefined);
    queueMicrotask(() => {
      const upstream = behind.client.request(CONNECT, new Recorder());
      assert.ok(upstream.ok);
      stream.respond([[':status', '200']]);
      relayStreams(stream, upstream.value, counters, (reason) => done.push(reason));
      holder.release(stream);
    });
    return holder;
  }, settings);
  const opened = front.client.request(CONNECT, near);
  assert.ok(opened.ok);
  return { near, far, done, counters, stream: opened.value, front, behind, accepted: () => accepted };
}

/** Writes as fast as the stream takes it. */
async function send(
  stream: Http2Stream,
  bytes: Buffer,
  handler: { onWritable: (stream: Http2Stream) => void },
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + 1 + Math.floor(Math.random() * 40_000));
    at += piece.length;
    if (stream.write(piece)) continue;
    await new Promise<void>((resolve) => {
      handler.onWritable = () => resolve();
    });
  }
  stream.end();
}

describe('two streams joined', () => {
  it('carry every byte both ways under small windows, and each side ends by itself', async () => {
    const { near, far, done, counters, stream, accepted } = chain({ initialWindowBytes: 65_535 });
    const [up, down] = [randomBytes(3_000_000), randomBytes(2_000_000)];
    await eventually('the other end', () => accepted() !== undefined);
    const sending = send(stream, up, near);
    await sending;
    await eventually('everything up', () => far.ended);
    assert.equal(near.ended, false, 'the other direction is still open');
    await send(accepted() as Http2Stream, down, far);
    await eventually('both over', () => done.length === 1 && near.ended);
    assert.deepEqual([far.bytes, near.bytes], [up.length, down.length]);
    assert.equal(far.hash.digest('hex'), createHash('sha256').update(up).digest('hex'));
    assert.equal(near.hash.digest('hex'), createHash('sha256').update(down).digest('hex'));
    assert.deepEqual(counters, { bytesFromSocket: down.length, bytesToSocket: up.length });
    assert.equal(done[0], undefined);
  });

  it('hold a sender back while the receiver does not read, and lose nothing', async () => {
    const { near, far, stream } = chain({ initialWindowBytes: 65_535, connectionWindowBytes: 65_535 * 4 });
    far.slow = true;
    const bytes = randomBytes(2_000_000);
    const sending = send(stream, bytes, near);
    await eventually('the windows to be full', () => far.bytes >= 65_535);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(far.bytes + stream.pendingBytes < bytes.length, 'the sender waits');
    far.recover();
    await sending;
    await eventually('everything', () => far.ended);
    assert.equal(far.bytes, bytes.length);
  });

  it('end together when one is reset, with its code', async () => {
    const { near, far, done, stream, accepted } = chain();
    await eventually('the other end', () => accepted() !== undefined);
    stream.write(Buffer.from('x'));
    await eventually('a byte', () => far.bytes === 1);
    accepted()?.reset(Http2Code.REFUSED_STREAM);
    await eventually('the near end', () => near.reason !== undefined);
    assert.deepEqual(near.reason, { kind: 'reset', by: 'peer', code: Http2Code.REFUSED_STREAM });
    await eventually('the report', () => done.length === 1);
    assert.equal(done[0]?.kind, 'reset');
  });

  it('end as a failure, not as an end of data, when a tunnel is lost', async () => {
    const { near, done, stream, far, behind } = chain();
    stream.write(Buffer.from('x'));
    await eventually('a byte', () => far.bytes === 1);
    behind.client.destroy();
    await eventually('the near end', () => near.reason !== undefined);
    assert.equal(near.ended, false);
    assert.equal(near.reason?.kind, 'reset');
    assert.equal(done[0]?.kind, 'lost');
  });
});
