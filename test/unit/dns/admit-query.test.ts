import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { admitQuery } from '../../../src/dns/admit-query.ts';
import { queryBytes, readAnswer } from '../../helpers/dns-query.ts';

describe('admitQuery', () => {
  it('lets well-formed queries through', () => {
    assert.equal(admitQuery(queryBytes('a.b'), 'udp').kind, 'query');
    assert.equal(admitQuery(queryBytes('a.b', 65, { class: 3, edns: { payloadBytes: 512 } }), 'tcp').kind, 'query');
  });

  it('answers EDNS of another version with BADVERS', () => {
    const admission = admitQuery(queryBytes('a', 1, { edns: { payloadBytes: 1232, version: 1 } }), 'udp');
    assert.ok(admission.kind === 'reply');
    const seen = readAnswer(admission.bytes);
    assert.deepEqual([seen.rcode, seen.message.additionals[0]?.ttlSec], [0, 0x01000000]);
  });

  it('answers nothing that cannot be served with more bytes than it had', () => {
    const seeds = fc.constantFrom(queryBytes('a.b.c'), queryBytes('x', 1, { edns: { payloadBytes: 4096 } }));
    const changes = fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(seeds, changes, fc.nat(60), (seed, list, length) => {
        const bytes = Buffer.from(seed).subarray(0, length);
        for (const [at, value] of list) if (at < bytes.length) bytes[at] = value;
        const admission = admitQuery(bytes, 'udp');
        if (admission.kind === 'reply') assert.ok(admission.bytes.length <= bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});
