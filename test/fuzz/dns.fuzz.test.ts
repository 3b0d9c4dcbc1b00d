import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { admitQuery } from '../../src/dns/admit-query.ts';
import { parseDnsMessage, parseDnsQuery } from '../../src/dns/dns-message.ts';
import { readDnsName } from '../../src/dns/dns-name.ts';
import { encodeDnsReply } from '../../src/dns/dns-reply.ts';
import { expandName } from '../../src/dns/name-expansion.ts';
import { passOnAnswer, readUpstreamAnswer } from '../../src/dns/upstream-answer.ts';
import { parseIpAddress } from '../../src/model/address.ts';
import { queryBytes } from '../helpers/dns-query.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const ADDRESS = parseIpAddress('10.0.0.1');
const QUERY = queryBytes('web.shop.svc.cluster.local', 1, { edns: { payloadBytes: 1232 } });
/** A query, an answer with pointers, and a name that points to itself. */
const SEEDS = [QUERY, answerBytes(QUERY), Buffer.concat([QUERY.subarray(0, 12), Buffer.from('c00c00010001', 'hex')])];

function answerBytes(query: Buffer): Buffer {
  const parsed = parseDnsQuery(query);
  assert.ok(parsed.kind === 'query' && ADDRESS !== undefined);
  const { name } = parsed.query.question;
  return encodeDnsReply({
    query: parsed.query,
    rcode: 0,
    authoritative: true,
    recursionAvailable: true,
    transport: 'udp',
    answers: [
      { name, ttlSec: 30, data: { kind: 'cname', target: 'web.shop' } },
      { name: 'web.shop', ttlSec: 30, data: { kind: 'address', address: ADDRESS } },
    ],
  });
}

const input = fc.oneof(
  fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.constantFrom(...SEEDS),
      fc.array(fc.tuple(fc.nat(120), fc.oneof(fc.nat(255), fc.constantFrom(0, 0xc0, 0x3f, 0x40, 12))), {
        maxLength: 6,
      }),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(120),
    )
    .map(([seed, changes, tail, cut]) => {
      const bytes = Buffer.concat([seed.subarray(0, Math.max(12, seed.length - (cut % 40))), tail]);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    }),
);

it('the DNS codec never throws, never answers garbage with more than it got, and repeats every question it takes', () => {
  fc.assert(
    fc.property(input, fc.nat(750), (bytes, offset) => {
      readDnsName(bytes, offset);
      parseDnsMessage(bytes);
      const admission = admitQuery(bytes, 'udp');
      if (admission.kind === 'reply') assert.ok(admission.bytes.length <= Math.max(12, bytes.length));
      const query = parseDnsQuery(bytes);
      if (query.kind !== 'query') return;
      expandName(query.query.question.name.toLowerCase(), 'ns', 'cluster.local');
      const flags = { authoritative: true, recursionAvailable: true };
      const reply = encodeDnsReply({ query: query.query, rcode: 0, ...flags, answers: [], transport: 'udp' });
      const read = parseDnsMessage(reply);
      assert.deepEqual(read?.questions, [query.query.question]);
      assert.ok(readUpstreamAnswer(reply, query.query.id, query.query));
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});

it('an answer of upstream that is passed on is readable as far as its question and never too long', () => {
  const parsed = parseDnsQuery(QUERY);
  assert.ok(parsed.kind === 'query');
  const { query } = parsed;
  fc.assert(
    fc.property(input, (bytes) => {
      const answer = readUpstreamAnswer(bytes, 0x1234, query);
      if (answer === undefined) return;
      const passed = passOnAnswer(answer, query, 'udp');
      assert.ok(passed.length <= 1232);
      assert.ok(readUpstreamAnswer(passed, query.id, query));
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
