import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DnsQuery, parseDnsQuery } from '../../../src/dns/dns-message.ts';
import { encodeDnsReply } from '../../../src/dns/dns-reply.ts';
import { passOnAnswer, readUpstreamAnswer } from '../../../src/dns/upstream-answer.ts';
import { parseIpAddress } from '../../../src/model/address.ts';
import { type QueryFields, queryBytes, readAnswer } from '../../helpers/dns-query.ts';

function query(name: string, type = 1, fields: QueryFields = {}): DnsQuery {
  const parsed = parseDnsQuery(queryBytes(name, type, fields));
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

function answerTo(asked: DnsQuery, count = 1, rcode = 0): Buffer {
  const address = parseIpAddress('10.0.0.1');
  assert.ok(address);
  const data = { kind: 'address', address } as const;
  const answers = Array.from({ length: count }, () => ({ name: asked.question.name, ttlSec: 9, data }));
  const flags = { authoritative: false, recursionAvailable: true };
  return encodeDnsReply({ query: asked, rcode, ...flags, answers, transport: 'tcp' });
}

const ASKED = query('a.Example', 1, { id: 5 });

describe('readUpstreamAnswer', () => {
  it('takes an answer with the id and the question, in any case of letters', () => {
    assert.equal(readUpstreamAnswer(answerTo(query('A.eXAMPLE', 1, { id: 77 })), 77, ASKED)?.rcode, 0);
    assert.equal(readUpstreamAnswer(answerTo({ ...ASKED, id: 77 }, 0, 3), 77, ASKED)?.rcode, 3);
  });

  it('takes a bare error without a question, but no bare success', () => {
    const bare = (flags: number) => {
      const bytes = Buffer.alloc(12);
      bytes.writeUInt16BE(77, 0);
      bytes.writeUInt16BE(flags, 2);
      return readUpstreamAnswer(bytes, 77, ASKED);
    };
    assert.equal(bare(0x8181)?.rcode, 1);
    assert.equal(bare(0x8180), undefined);
    assert.equal(bare(0x0181), undefined);
  });

  it('refuses another id, name, type or class, queries, and what is cut off', () => {
    const good = answerTo({ ...ASKED, id: 77 });
    assert.ok(readUpstreamAnswer(good, 77, ASKED));
    assert.equal(readUpstreamAnswer(good, 78, ASKED), undefined);
    assert.equal(readUpstreamAnswer(good, 77, query('b.example')), undefined);
    assert.equal(readUpstreamAnswer(good, 77, query('a.example', 28)), undefined);
    assert.equal(readUpstreamAnswer(good, 77, query('a.example', 1, { class: 3 })), undefined);
    assert.equal(readUpstreamAnswer(queryBytes('a.example', 1, { id: 77 }), 77, ASKED), undefined);
    for (let length = 0; length < 27; length++) {
      assert.equal(readUpstreamAnswer(good.subarray(0, length), 77, ASKED), undefined, `${length} bytes`);
    }
  });
});

describe('passOnAnswer', () => {
  const passed = (asked: DnsQuery, bytes: Buffer, transport: 'udp' | 'tcp') => {
    const answer = readUpstreamAnswer(bytes, 77, asked);
    assert.ok(answer);
    return passOnAnswer(answer, asked, transport);
  };

  it('changes the id and nothing else', () => {
    const bytes = answerTo({ ...ASKED, id: 77 });
    const result = passed(ASKED, bytes, 'udp');
    assert.equal(result.readUInt16BE(0), 5);
    assert.ok(result.subarray(2).equals(bytes.subarray(2)));
    assert.equal(bytes.readUInt16BE(0), 77, 'the original is left alone');
  });

  it('empties an answer that is too long for UDP and sets TC', () => {
    const bytes = answerTo({ ...ASKED, id: 77 }, 100);
    const cut = readAnswer(passed(ASKED, bytes, 'udp'));
    assert.deepEqual([cut.message.truncated, cut.addresses, cut.message.id], [true, [], 5]);
    assert.equal(readAnswer(passed(ASKED, bytes, 'tcp')).addresses.length, 100);
    const large = query('a.example', 1, { edns: { payloadBytes: 4096 } });
    assert.equal(passed(large, answerTo({ ...large, id: 77 }, 100), 'udp').length > 1600, true);
  });

  it('gives a bare error its question back', () => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16BE(77, 0);
    bytes.writeUInt16BE(0x8185, 2);
    const result = readAnswer(passed(ASKED, bytes, 'udp'));
    assert.deepEqual([result.rcode, result.message.questions[0]?.name], [5, 'a.Example']);
  });
});
