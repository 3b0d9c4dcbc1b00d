import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { it } from 'node:test';
import fc from 'fast-check';
import { RecordMemory } from '../../src/hbone/record-memory.ts';
import { RecordTransport } from '../../src/hbone/record-transport.ts';
import { SocketIntake } from '../../src/http2/socket-intake.ts';
import { recordKeys } from '../../src/native/record-keys.ts';
import { DATA, HANDSHAKE, KEY_UPDATE, TestRecords } from '../helpers/tls-records.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const SUITE = 'TLS_AES_128_GCM_SHA256';
const SECRET = Buffer.alloc(32, 7);

/** As much of a socket as a transport needs; it counts how often it was given up. */
class FuzzSocket extends EventEmitter {
  writable = true;
  closed = false;
  destroyed = 0;
  write(): boolean {
    return true;
  }
  setNoDelay(): void {
    // Nothing is sent.
  }
  resume(): void {
    // Reads are the test's.
  }
  destroy(): void {
    this.destroyed++;
  }
}

interface Step {
  readonly type: number;
  readonly content: Uint8Array;
  readonly padding: number;
  /** Where a byte of the record is changed. */
  readonly change: number | undefined;
  readonly raw: Uint8Array | undefined;
}

it('a record transport hands on what was sealed, in order, up to the first wrong byte, and never throws', async () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom<Uint8Array>(KEY_UPDATE, Buffer.of(24, 0, 0, 1, 1), Buffer.of(1, 0), Buffer.of(4, 0, 0, 2, 0, 0)),
  );
  const step: fc.Arbitrary<Step> = fc.record({
    type: fc.oneof(
      { weight: 4, arbitrary: fc.constant(DATA) },
      fc.constantFrom(21, HANDSHAKE, DATA),
      fc.nat({ max: 255 }),
    ),
    content,
    padding: fc.nat({ max: 20 }),
    change: fc.option(fc.nat({ max: 400 }), { nil: undefined, freq: 8 }),
    raw: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: undefined, freq: 10 }),
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 8 });
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), cuts, run), {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: FUZZ_MS,
  });
});

async function run(steps: readonly Step[], cuts: readonly number[]): Promise<void> {
  const memory = new RecordMemory();
  const intake = new SocketIntake(memory.readBuffer);
  const readKeys = recordKeys({ suite: SUITE, secret: SECRET, direction: 'read' });
  const writeKeys = recordKeys({ suite: SUITE, secret: SECRET, direction: 'write' });
  assert.ok(readKeys && writeKeys);
  const socket = new FuzzSocket();
  const taken = { readKeys, writeKeys, early: Buffer.alloc(0) };
  const transport = new RecordTransport(socket as unknown as Socket, { intake, memory }, taken);
  const received: Buffer[] = [];
  let ends = 0;
  transport.start({
    onData: (chunk) => void received.push(Buffer.from(chunk)),
    keepsLast: () => false,
    onEnd: () => void ends++,
    onClosed: () => undefined,
  });
  await new Promise((resolve) => process.nextTick(resolve));
  const { wire, sealed } = wireOf(steps);
  for (let at = 0, turn = 0; at < wire.length; turn++) {
    const bytes = wire.subarray(at, at + (cuts[turn % cuts.length] ?? 1));
    intake.onread.buffer.set(bytes);
    intake.onread.callback(bytes.length, intake.onread.buffer);
    at += bytes.length;
  }
  const data = Buffer.concat(received);
  assert.ok(sealed.subarray(0, data.length).equals(data), 'more than was sealed, or something else');
  assert.ok(ends + socket.destroyed <= 1, 'ended more than once');
}

/** The bytes of the peer, and the data that it sealed before the first byte that is wrong. */
function wireOf(steps: readonly Step[]): { readonly wire: Buffer; readonly sealed: Buffer } {
  const records = new TestRecords(SUITE, SECRET);
  const [wire, sealed]: [Buffer[], Buffer[]] = [[], []];
  let isIntact = true;
  for (const { type, content, padding, change, raw } of steps) {
    if (raw !== undefined) wire.push(Buffer.from(raw));
    const record = records.seal(type, content, padding);
    if (type === HANDSHAKE && content[0] === 24) records.update();
    if (change !== undefined) record[change % record.length] = (record[change % record.length] ?? 0) ^ 0x10;
    isIntact &&= change === undefined && (raw === undefined || raw.length === 0);
    if (isIntact && type === DATA) sealed.push(Buffer.from(content));
    wire.push(record);
  }
  return { wire: Buffer.concat(wire), sealed: Buffer.concat(sealed) };
}
