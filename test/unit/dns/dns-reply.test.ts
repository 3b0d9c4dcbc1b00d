import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type DnsQuery, parseDnsQuery } from '../../../src/dns/dns-message.ts';
import { type DnsAnswer, type DnsReply, encodeDnsReply, encodeHeaderReply } from '../../../src/dns/dns-reply.ts';
import { ipFromBytes, parseIpAddress } from '../../../src/model/address.ts';
import { type QueryFields, queryBytes, readAnswer } from '../../helpers/dns-query.ts';

function query(name: string, fields?: QueryFields): DnsQuery {
  const parsed = parseDnsQuery(queryBytes(name, 1, fields));
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

function address(name: string, text: string): DnsAnswer {
  const ip = parseIpAddress(text);
  assert.ok(ip);
  return { name, ttlSec: 30, data: { kind: 'address', address: ip } };
}

function reply(asked: DnsQuery, answers: readonly DnsAnswer[], fields: Partial<DnsReply> = {}): Buffer {
  return encodeDnsReply({
    query: asked,
    rcode: 0,
    authoritative: true,
    recursionAvailable: true,
    answers,
    transport: 'udp',
    ...fields,
  });
}

const many = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => address(name, `10.0.${index >> 8}.${index & 255}`));

describe('encodeDnsReply', () => {
  it('writes the bytes of RFC 1035 with the owner as a pointer to the question', () => {
    const bytes = reply(query('Ab.c', { id: 0xbeef }), [address('Ab.c', '10.0.0.1')]);
    const expected = 'beef85800001000100000000' + '02416201630000010001' + 'c00c000100010000001e00040a000001';
    assert.equal(bytes.toString('hex'), expected);
  });

  it('writes a CNAME, then addresses under its target, compressed against what was written', () => {
    const target: DnsAnswer = { name: 'api.io.x', ttlSec: 30, data: { kind: 'cname', target: 'api.io' } };
    const bytes = reply(query('api.io.x'), [target, address('api.io', '::1')]);
    const seen = readAnswer(bytes);
    assert.deepEqual(seen.cnames, ['api.io.x -> api.io']);
    assert.deepEqual(
      seen.message.answers.map(({ name }) => name),
      ['api.io.x', 'api.io'],
    );
    assert.deepEqual(seen.addresses, ['::1']);
    // Header, question, CNAME with pointer and 8 bytes of target, AAAA with pointer.
    assert.equal(bytes.length, 12 + 14 + (12 + 8) + (12 + 16));
  });

  it('sets flags and result code, and repeats RD and CD', () => {
    const asked = { ...query('a'), recursionDesired: false, checkingDisabled: true };
    const bytes = reply(asked, [], { rcode: 3, authoritative: false, recursionAvailable: false });
    assert.equal(bytes.readUInt16BE(2), 0x8013);
    assert.equal(reply(query('a'), [], { rcode: 2 }).readUInt16BE(2), 0x8582);
  });

  it('echoes EDNS with at least 512 bytes and the high bits of the result code', () => {
    const option = (payloadBytes: number, rcode = 0) => {
      const asked = query('a', { edns: { payloadBytes, dnssecOk: true } });
      const seen = readAnswer(reply(asked, [], { rcode }));
      const [opt] = seen.message.additionals;
      return [opt?.type, opt?.class, opt?.ttlSec, seen.rcode];
    };
    assert.deepEqual(option(1232), [41, 1232, 0x8000, 0]);
    assert.deepEqual(option(100), [41, 512, 0x8000, 0]);
    assert.deepEqual(option(1232, 16), [41, 1232, 0x01008000, 0]);
    assert.deepEqual(readAnswer(reply(query('a'), [])).message.additionals, []);
  });

  it('cuts UDP answers at what the client takes and says so, TCP answers only at the limit of the format', () => {
    const cases = [
      [{}, 512],
      [{ edns: { payloadBytes: 0 } }, 512],
      [{ edns: { payloadBytes: 1232 } }, 1232],
      [{ edns: { payloadBytes: 65535 } }, 4096],
    ] as const;
    for (const [fields, limit] of cases) {
      const asked = query('name.example', fields);
      const bytes = reply(asked, many('name.example', 300));
      assert.ok(bytes.length <= limit && bytes.length > limit - 17, `${bytes.length} of ${limit}`);
      const seen = readAnswer(bytes);
      assert.equal(seen.message.truncated, true);
      assert.ok(seen.addresses.length > 0);
      assert.equal(seen.message.additionals.length, 'edns' in fields ? 1 : 0);
    }
    const whole = readAnswer(reply(query('a.b'), many('a.b', 3000), { transport: 'tcp' }));
    assert.deepEqual([whole.message.truncated, whole.addresses.length], [false, 3000]);
    const huge = reply(query('a.b'), many('a.b', 5000), { transport: 'tcp' });
    assert.ok(huge.length <= 65535 && readAnswer(huge).addresses.length > 4000);
  });

  it('leaves out records whose name is none', () => {
    const bad: DnsAnswer = { name: 'a', ttlSec: 1, data: { kind: 'cname', target: 'x'.repeat(70) } };
    assert.deepEqual(
      readAnswer(reply(query('a'), [bad, address('b..c', '10.0.0.1'), address('a', '10.0.0.2')])).addresses,
      ['10.0.0.2'],
    );
  });

  it('is read back as it was written, whatever names and addresses are in it', () => {
    const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
    const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
    const ip = fc
      .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
      .map((bytes) => ipFromBytes(bytes) ?? '');
    const record = fc.oneof(
      fc.record({ name, value: ip, kind: fc.constant('address') }),
      fc.record({ name, value: name, kind: fc.constant('cname') }),
    );
    fc.assert(
      fc.property(name, fc.array(record, { maxLength: 20 }), fc.nat(0xffff), (asked, records, id) => {
        const answers = records.map(
          (one): DnsAnswer =>
            one.kind === 'cname'
              ? { name: one.name, ttlSec: 7, data: { kind: 'cname', target: one.value } }
              : address(one.name, one.value),
        );
        const seen = readAnswer(reply(query(asked, { id }), answers, { transport: 'tcp' }));
        assert.deepEqual([seen.message.id, seen.message.questions[0]?.name], [id, asked]);
        assert.deepEqual(
          seen.message.answers.map((one) => one.name),
          records.map((one) => one.name),
        );
        const values = (kind: string) => records.filter((one) => one.kind === kind);
        assert.deepEqual(
          seen.addresses,
          values('address').map((one) => one.value),
        );
        assert.deepEqual(
          seen.cnames,
          values('cname').map((one) => `${one.name} -> ${one.value}`),
        );
      }),
    );
  });
});

describe('encodeHeaderReply', () => {
  it('is a header and nothing else', () => {
    const bytes = encodeHeaderReply({ id: 7, opcode: 5, recursionDesired: true, checkingDisabled: false }, 4);
    assert.equal(bytes.toString('hex'), '0007a9840000000000000000');
  });
});
