import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type NativeRecordKeys, type RecordKeysOptions, recordKeys } from '../../../src/native/record-keys.ts';
import { ALERT, DATA, HANDSHAKE, KEY_UPDATE, TestRecords, type TestSuite } from '../../helpers/tls-records.ts';

const SUITES: readonly TestSuite[] = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384'];
const UNEXPECTED_MESSAGE = 10;
const BAD_RECORD_MAC = 20;
const RECORD_OVERFLOW = 22;
const secretOf = (suite: TestSuite) => randomBytes(suite === 'TLS_AES_128_GCM_SHA256' ? 32 : 48);

function keysOf(options: RecordKeysOptions): NativeRecordKeys {
  const keys = recordKeys(options);
  assert.ok(keys);
  return keys;
}

function sealed(keys: NativeRecordKeys, plain: Uint8Array): Buffer {
  const records = keys.seal(DATA, plain);
  assert.ok(records);
  return records;
}

interface Opened {
  readonly alert: number;
  readonly read: number;
  readonly data: Buffer;
  readonly type: number;
  readonly other: Buffer;
}

function open(keys: NativeRecordKeys, bytes: Uint8Array): Opened {
  const out = Buffer.alloc(bytes.length);
  const result = new Int32Array(4);
  const alert = keys.open(bytes, out, result);
  const [read = 0, dataBytes = 0, type = 0, otherBytes = 0] = result;
  return {
    alert,
    read,
    type,
    data: out.subarray(0, dataBytes),
    other: out.subarray(dataBytes, dataBytes + otherBytes),
  };
}

for (const suite of SUITES) {
  /** Keys of the addon for both directions, and those of node:crypto, all of one secret. */
  const pair = (options: Partial<RecordKeysOptions> = {}) => {
    const secret = secretOf(suite);
    return {
      reads: keysOf({ suite, secret, direction: 'read', ...options }),
      writes: keysOf({ suite, secret, direction: 'write', ...options }),
      reference: new TestRecords(suite, secret),
    };
  };

  describe(`records of ${suite}`, () => {
    it('are byte for byte those that node:crypto makes, one sequence number after the other', () => {
      const { writes, reference } = pair();
      for (const length of [1, 2, 255, 256, 16_383, 16_384, 1]) {
        const plain = randomBytes(length);
        assert.ok(writes.seal(DATA, plain)?.equals(reference.seal(DATA, plain)), `${length} bytes`);
      }
      assert.ok(writes.seal(ALERT, Buffer.of(1, 0))?.equals(reference.seal(ALERT, Buffer.of(1, 0))));
      assert.ok(writes.seal(DATA, Buffer.alloc(0))?.equals(reference.seal(DATA, Buffer.alloc(0))));
    });

    it('begin where the count of earlier ones ends, beyond 32 bits as well', () => {
      for (const sequence of [1, 255, 256, 2 ** 32 + 7, 2 ** 48]) {
        const { reads, writes, reference } = pair({ sequence, maxRecords: 2 ** 52 });
        reference.sequence = BigInt(sequence);
        const record = sealed(writes, Buffer.from('hello'));
        assert.ok(record.equals(reference.seal(DATA, Buffer.from('hello'))), `${sequence}`);
        assert.equal(open(reads, record).data.toString(), 'hello');
      }
    });

    it('hold at most 16 KiB each', () => {
      const { writes, reference } = pair();
      const plain = randomBytes(3 * 16_384 + 5);
      const records = reference.openAll(sealed(writes, plain));
      assert.deepEqual(
        records.map(({ content }) => content.length),
        [16_384, 16_384, 16_384, 5],
      );
      assert.ok(Buffer.concat(records.map(({ content }) => content)).equals(plain));
    });

    it('are opened as many as are whole, the padding dropped', () => {
      const { reads, reference } = pair();
      const parts = [randomBytes(10), randomBytes(16_384), randomBytes(1)];
      const records = parts.map((part, index) => reference.seal(DATA, part, index === 1 ? 0 : 200));
      const next = reference.seal(DATA, randomBytes(50));
      const opened = open(reads, Buffer.concat([...records, next.subarray(0, -1)]));
      assert.equal(opened.alert, 0);
      assert.equal(opened.read, Buffer.concat(records).length);
      assert.ok(opened.data.equals(Buffer.concat(parts)));
      assert.equal(opened.type, 0);
      assert.equal(open(reads, next).data.length, 50);
    });

    it('are opened up to one that is no data, or empty, which is told with what it holds', () => {
      const { reads, reference } = pair();
      const first = [reference.seal(DATA, Buffer.from('one')), reference.seal(ALERT, Buffer.of(2, 42), 3)];
      const bytes = Buffer.concat([
        ...first,
        reference.seal(DATA, Buffer.alloc(0), 9),
        reference.seal(DATA, Buffer.from('two')),
      ]);
      const alert = open(reads, bytes);
      assert.deepEqual([alert.alert, alert.data.toString(), alert.type, [...alert.other]], [0, 'one', ALERT, [2, 42]]);
      const rest = bytes.subarray(alert.read);
      const empty = open(reads, rest);
      assert.deepEqual([empty.alert, empty.data.length, empty.type, empty.other.length], [0, 0, DATA, 0]);
      assert.equal(open(reads, rest.subarray(empty.read)).data.toString(), 'two');
    });

    it('have new keys behind an update, on both sides', () => {
      const { reads, writes, reference } = pair();
      for (let round = 0; round < 3; round++) {
        const said = writes.update();
        assert.ok(Buffer.isBuffer(said));
        assert.ok(said.equals(reference.seal(HANDSHAKE, KEY_UPDATE)));
        assert.ok(open(reads, said).other.equals(KEY_UPDATE));
        assert.equal(reads.update(), true);
        reference.update();
        const record = sealed(writes, Buffer.from(`round ${round}`));
        assert.ok(record.equals(reference.seal(DATA, Buffer.from(`round ${round}`))));
        assert.equal(open(reads, record).data.toString(), `round ${round}`);
      }
    });

    it('get new keys by themselves before too many were protected by one', () => {
      const { writes, reference } = pair({ maxRecords: 3 });
      const contents: string[] = [];
      for (let index = 0; index < 10; index++) {
        let bytes = sealed(writes, Buffer.from(`${index}`));
        while (bytes.length > 0) {
          const length = 5 + bytes.readUInt16BE(3);
          const { type, content } = reference.open(bytes.subarray(0, length));
          bytes = bytes.subarray(length);
          contents.push(type === HANDSHAKE ? 'update' : content.toString());
          if (type !== HANDSHAKE) continue;
          assert.ok(content.equals(KEY_UPDATE));
          reference.update();
        }
      }
      assert.equal(contents.join(' '), '0 1 2 update 3 4 5 update 6 7 8 update 9');
    });

    it('are refused when a single bit is another one, in the header, the content or the tag', () => {
      const secret = secretOf(suite);
      const record = new TestRecords(suite, secret).seal(DATA, Buffer.from('attack at dawn'));
      for (let bit = 0; bit < record.length * 8; bit++) {
        const changed = Buffer.from(record);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const opened = open(keysOf({ suite, secret, direction: 'read' }), changed);
        // A length that is too large waits for more, or is too large for any record.
        const isWaiting = bit >> 3 >= 3 && bit >> 3 < 5 && opened.alert === 0;
        assert.ok(isWaiting || opened.alert !== 0, `bit ${bit}`);
        assert.deepEqual([opened.read, opened.data.length, opened.type], [0, 0, 0], `bit ${bit}`);
      }
    });

    it('are refused with the alert that says why', () => {
      const header = (type: number, length: number) => Buffer.of(type, 3, 3, length >> 8, length & 0xff);
      const cases: readonly (readonly [string, number, (reference: TestRecords) => Buffer])[] = [
        ['a plaintext alert', UNEXPECTED_MESSAGE, () => Buffer.concat([header(ALERT, 2), Buffer.of(2, 42)])],
        ['a plaintext handshake', UNEXPECTED_MESSAGE, () => Buffer.concat([header(HANDSHAKE, 5), KEY_UPDATE])],
        ['a change of cipher spec', UNEXPECTED_MESSAGE, () => Buffer.concat([header(20, 1), Buffer.of(1)])],
        ['text', UNEXPECTED_MESSAGE, () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
        ['no byte at all', BAD_RECORD_MAC, () => header(DATA, 0)],
        ['a tag alone', BAD_RECORD_MAC, (reference) => reference.sealInner(Buffer.alloc(0))],
        ['half of a tag', BAD_RECORD_MAC, () => Buffer.concat([header(DATA, 8), randomBytes(8)])],
        ['one byte too many, told by the header', RECORD_OVERFLOW, () => header(DATA, 16_641)],
        ['as long as can be', RECORD_OVERFLOW, () => header(DATA, 65_535)],
        ['one byte of content too many', RECORD_OVERFLOW, (reference) => reference.seal(DATA, randomBytes(16_385))],
        ['padding alone', UNEXPECTED_MESSAGE, (reference) => reference.sealInner(Buffer.alloc(100))],
        ['no content, no type', UNEXPECTED_MESSAGE, (reference) => reference.sealInner(Buffer.alloc(1))],
        ['random bytes', BAD_RECORD_MAC, () => Buffer.concat([header(DATA, 100), randomBytes(100)])],
      ];
      for (const [what, alert, make] of cases) {
        const { reads, reference } = pair();
        const opened = open(reads, make(reference));
        assert.deepEqual([opened.alert, opened.read, opened.data.length, opened.type], [alert, 0, 0, 0], what);
      }
    });

    it('are refused twice, out of turn, or cut short', () => {
      const { reads, reference } = pair();
      const [first, second] = [reference.seal(DATA, Buffer.from('1')), reference.seal(DATA, Buffer.from('2'))];
      assert.equal(open(reads, second).alert, BAD_RECORD_MAC);
      assert.equal(open(reads, first).alert, 0);
      assert.equal(open(reads, first).alert, BAD_RECORD_MAC);
      const short = Buffer.concat([second.subarray(0, -1)]);
      short.writeUInt16BE(short.length - 5, 3);
      assert.equal(open(reads, short).alert, BAD_RECORD_MAC);
      assert.equal(open(reads, second).data.toString(), '2');
    });

    it('hand on what came before one that is wrong', () => {
      const { reads, reference } = pair();
      const good = reference.seal(DATA, Buffer.from('good'));
      const bad = reference.seal(DATA, Buffer.from('evil'));
      bad[7] = (bad[7] ?? 0) ^ 1;
      const opened = open(reads, Buffer.concat([good, bad]));
      assert.deepEqual([opened.alert, opened.read, opened.data.toString()], [BAD_RECORD_MAC, good.length, 'good']);
    });

    it('bring any bytes, cut into writes, records and reads anywhere', () => {
      const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000, size: 'max' }), { maxLength: 5 });
      const cuts = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 20 });
      fc.assert(
        fc.property(pieces, cuts, (written, lengths) => {
          const { reads, writes } = pair({ maxRecords: 4 });
          const wire = Buffer.concat(written.map((piece) => sealed(writes, piece)));
          assert.ok(receive(reads, wire, lengths).equals(Buffer.concat(written)));
        }),
        { numRuns: 60 },
      );
    });

    it('are neither opened by keys that write nor sealed by keys that read', () => {
      const { reads, writes, reference } = pair();
      assert.notEqual(open(writes, reference.seal(DATA, Buffer.from('x'))).alert, 0);
      assert.equal(reads.seal(DATA, Buffer.from('x')), undefined);
      assert.ok(Number(reads.sealAndSend(-1, Buffer.from('x'))) < 0);
    });
  });
}

/** Reads `wire` in pieces of `lengths`, over and over. */
function receive(keys: NativeRecordKeys, wire: Buffer, lengths: readonly number[]): Buffer {
  const data: Buffer[] = [];
  let held: Buffer = Buffer.alloc(0);
  for (let at = 0, turn = 0; at < wire.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    held = Buffer.concat([held, wire.subarray(at, at + length)]);
    at += length;
    for (let opened = open(keys, held); opened.read > 0; opened = open(keys, held)) {
      assert.equal(opened.alert, 0);
      data.push(opened.data);
      if (opened.type === HANDSHAKE) assert.equal(keys.update(), true);
      held = held.subarray(opened.read);
    }
  }
  assert.equal(held.length, 0);
  return Buffer.concat(data);
}

describe('keys of records', () => {
  it('are those that RFC 8448 3 prints for its server, in the reference that the addon is compared with', () => {
    const secret = Buffer.from('a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643', 'hex');
    const reference = new TestRecords('TLS_AES_128_GCM_SHA256', secret);
    assert.equal(reference.key.toString('hex'), '9f02283b6c9c07efc26bb9f2ac92e356');
    assert.equal(reference.iv.toString('hex'), 'cf782b88dd83549aadf1e984');
  });

  it('are not made for another suite, or of a secret that does not fit', () => {
    for (const [suite, length] of [
      ['TLS_CHACHA20_POLY1305_SHA256', 32],
      ['TLS_AES_128_CCM_SHA256', 32],
      ['', 32],
      ['TLS_AES_128_GCM_SHA256', 48],
      ['TLS_AES_256_GCM_SHA384', 32],
      ['TLS_AES_256_GCM_SHA384', 0],
    ] as const) {
      assert.equal(recordKeys({ suite, secret: Buffer.alloc(length), direction: 'read' }), undefined, suite);
    }
  });
});
