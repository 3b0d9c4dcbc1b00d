import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DnsFrameReader, frameDnsMessage } from '../../../src/dns/dns-stream.ts';

describe('DnsFrameReader', () => {
  it('gives back the messages that were framed, however the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((one) => frameDnsMessage(one)));
        const reader = new DnsFrameReader(50);
        const received: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          received.push(...(reader.push(stream.subarray(at, at + size)) ?? assert.fail('broken')));
          at += size;
        }
        assert.deepEqual(
          received.map((one) => [...one]),
          sent.map((one) => [...one]),
        );
        assert.equal(reader.isEmpty, true);
      }),
    );
  });

  it('breaks at a length over its limit before the message arrives', () => {
    const reader = new DnsFrameReader(100);
    assert.deepEqual(reader.push(Buffer.from([0])), []);
    assert.equal(reader.isEmpty, false);
    assert.equal(reader.push(Buffer.from([101])), undefined);
  });
});
