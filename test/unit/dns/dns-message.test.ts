import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDnsMessage, parseDnsQuery } from '../../../src/dns/dns-message.ts';
import { queryBytes } from '../../helpers/dns-query.ts';

function query(bytes: Uint8Array) {
  const parsed = parseDnsQuery(bytes);
  assert.ok(parsed.kind === 'query', parsed.kind);
  return parsed.query;
}

/** id 0xbeef, RD; `Ab.c` A IN; OPT of 1232 bytes with DO. */
const VECTOR = Buffer.from('beef0100000100000000000102416201630000010001' + '00002904d000008000' + '0000', 'hex');

describe('parseDnsQuery', () => {
  it('reads header, question and EDNS of a query', () => {
    const { questionBytes, ...rest } = query(VECTOR);
    assert.deepEqual(rest, {
      id: 0xbeef,
      opcode: 0,
      recursionDesired: true,
      checkingDisabled: false,
      question: { name: 'Ab.c', type: 1, class: 1 },
      edns: { payloadBytes: 1232, version: 0, dnssecOk: true },
    });
    assert.equal(Buffer.from(questionBytes).toString('hex'), '02416201630000010001');
  });

  it('does not answer answers and runts', () => {
    const response = Buffer.from(VECTOR);
    response.writeUInt8(0x81, 2);
    assert.equal(parseDnsQuery(response).kind, 'ignored');
    assert.equal(parseDnsQuery(VECTOR.subarray(0, 11)).kind, 'ignored');
    assert.equal(parseDnsQuery(Buffer.alloc(0)).kind, 'ignored');
  });

  it('refuses every other opcode with NOTIMP before it reads on', () => {
    for (let opcode = 1; opcode < 16; opcode++) {
      const parsed = parseDnsQuery(queryBytes('a', 1, { opcode }).subarray(0, 12));
      assert.ok(parsed.kind === 'refused');
      assert.deepEqual([parsed.rcode, parsed.header.opcode], [4, opcode]);
    }
  });

  it('refuses what is not exactly one question with FORMERR', () => {
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(VECTOR);
      change(bytes);
      return bytes;
    };
    const malformed = [
      VECTOR.subarray(0, 12),
      VECTOR.subarray(0, -1),
      Buffer.concat([VECTOR, Buffer.from([0])]),
      changed((bytes) => bytes.writeUInt16BE(0, 4)),
      changed((bytes) => bytes.writeUInt16BE(2, 4)),
      changed((bytes) => bytes.writeUInt16BE(1, 6)),
      changed((bytes) => bytes.writeUInt16BE(1, 8)),
      changed((bytes) => bytes.writeUInt16BE(0xffff, 10)),
      // Two OPT records, and one with a name.
      changed((bytes) => bytes.writeUInt16BE(2, 10)) && Buffer.concat([two(VECTOR), VECTOR.subarray(22)]),
      Buffer.concat([VECTOR.subarray(0, 22), Buffer.from([1, 0x61]), VECTOR.subarray(22)]),
    ];
    for (const [index, bytes] of malformed.entries()) {
      const parsed = parseDnsQuery(bytes);
      assert.ok(parsed.kind === 'refused', `case ${index}`);
      assert.deepEqual([parsed.rcode, parsed.header.id], [1, 0xbeef], `case ${index}`);
    }
  });

  it('takes any bytes without throwing, and nothing it accepts has a part outside of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const parsed = parseDnsQuery(bytes);
        if (parsed.kind === 'query') assert.ok(parsed.query.questionBytes.length <= bytes.length - 12);
        parseDnsMessage(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseDnsMessage', () => {
  it('reads records with compressed names', () => {
    const bytes = Buffer.from(
      '000181800001000100000000' + '016101620000010001' + 'c00c000100010000001e00040a000001',
      'hex',
    );
    const message = parseDnsMessage(bytes);
    assert.deepEqual(
      message?.answers.map(({ data, ...rest }) => ({ ...rest, data: [...data] })),
      [{ name: 'a.b', type: 1, class: 1, ttlSec: 30, dataOffset: 33, data: [10, 0, 0, 1] }],
    );
    assert.deepEqual([message?.isResponse, message?.recursionAvailable, message?.rcode], [true, true, 0]);
    assert.equal(parseDnsMessage(bytes.subarray(0, -1)), undefined);
  });
});

function two(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(2, 10);
  return copy;
}
