import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_BYTES, BlockPool } from '../../../src/http2/block-pool.ts';
import { OutputQueue } from '../../../src/http2/output-queue.ts';
import type { ByteTransport } from '../../../src/http2/transport.ts';
import { settle } from './harness.ts';

class ManualTransport implements ByteTransport {
  received: Buffer[] = [];
  inFlight: (() => void)[] = [];
  most = 0;
  /** Whether what is written is taken at once, as by a socket without TLS. */
  readonly takesAtOnce: boolean;

  constructor(takesAtOnce: boolean) {
    this.takesAtOnce = takesAtOnce;
  }

  start(): void {
    // Only the sending side is tested.
  }

  write(bytes: Uint8Array, onWritten: () => void): boolean {
    this.received.push(Buffer.from(bytes));
    if (this.takesAtOnce) return true;
    this.inFlight.push(onWritten);
    this.most = Math.max(this.most, this.inFlight.length);
    return false;
  }

  complete(): boolean {
    const done = this.inFlight.shift();
    done?.();
    return done !== undefined;
  }

  end(): void {
    this.inFlight = [];
  }

  destroy(): void {
    this.inFlight = [];
  }
}

function put(queue: OutputQueue, bytes: Buffer): void {
  queue.reserve(bytes.length);
  bytes.copy(queue.block, queue.position);
  queue.commit(bytes.length);
}

test('any sequence of writes and completions comes out in order, one block at a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.nat({ max: 3000 }), fc.integer({ min: 15_000, max: BLOCK_BYTES }), fc.constant(-1)), {
        maxLength: 40,
      }),
      fc.boolean(),
      async (steps, takesAtOnce) => {
        const transport = new ManualTransport(takesAtOnce);
        let drained = 0;
        const queue = new OutputQueue(transport, new BlockPool(2), () => {
          drained += 1;
        });
        const expected: Buffer[] = [];
        for (const [index, step] of steps.entries()) {
          if (step < 0) {
            await settle(1);
            transport.complete();
          } else if (step > 0) {
            const bytes = Buffer.alloc(step, index + 1);
            expected.push(bytes);
            put(queue, bytes);
          }
        }
        await settle(2);
        let more = true;
        while (more) more = transport.complete();
        assert.ok(Buffer.concat(transport.received).equals(Buffer.concat(expected)));
        assert.deepEqual([queue.bytes, queue.block.length, queue.empty], [0, 0, true]);
        assert.ok(transport.most <= 1);
        assert.equal(drained > 0, expected.length > 0);
      },
    ),
    { numRuns: 60 },
  );
});

test('what one turn writes goes out in one piece, a full TLS record at once', async () => {
  const transport = new ManualTransport(false);
  const queue = new OutputQueue(transport, new BlockPool(), () => undefined);
  for (let count = 0; count < 10; count += 1) put(queue, Buffer.alloc(100));
  assert.equal(transport.received.length, 0);
  await settle(1);
  assert.deepEqual(
    transport.received.map((bytes) => bytes.length),
    [1000],
  );
  transport.complete();
  put(queue, Buffer.alloc(16_384));
  assert.equal(transport.received.length, 2);
});

test('a queue is blocked while much is unsent, and tells when it is not any more', async () => {
  const transport = new ManualTransport(false);
  let drained = 0;
  const queue = new OutputQueue(transport, new BlockPool(), () => {
    drained += 1;
  });
  for (let count = 0; count < 5; count += 1) put(queue, Buffer.alloc(60_000));
  assert.equal(queue.blocked, true);
  while (drained === 0) transport.complete();
  assert.equal(queue.blocked, false);
  assert.ok(queue.bytes > 0);
});
