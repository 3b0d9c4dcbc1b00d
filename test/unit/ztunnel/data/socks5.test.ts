import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSocksGreeting, parseSocksRequest } from '../../../../src/ztunnel/data/socks5.ts';
import { socksRequest } from '../../../helpers/direct-ztunnel.ts';

describe('a SOCKS5 greeting', () => {
  it('says whether the client does without authentication', () => {
    assert.deepEqual(parseSocksGreeting(Buffer.of(5, 2, 2, 0, 9)), { kind: 'message', bytes: 4, value: true });
    assert.deepEqual(parseSocksGreeting(Buffer.of(5, 1, 2)), { kind: 'message', bytes: 3, value: false });
    assert.deepEqual(parseSocksGreeting(Buffer.of(5, 2, 0)), { kind: 'incomplete' });
    assert.deepEqual(parseSocksGreeting(Buffer.of(4, 1)), { kind: 'invalid' });
  });
});

describe('a SOCKS5 request', () => {
  it('is read from its bytes, whatever follows, and never from fewer', () => {
    const host = fc.oneof(fc.ipV4(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), fc.uint8Array({ maxLength: 5 }), (name, port, rest) => {
        const bytes = socksRequest(name, port);
        const message = parseSocksRequest(Buffer.concat([bytes, rest]));
        assert.deepEqual(message, { kind: 'message', bytes: bytes.length, value: { command: 1, host: name, port } });
        for (let cut = 0; cut < bytes.length; cut++) {
          assert.equal(parseSocksRequest(bytes.subarray(0, cut)).kind, 'incomplete');
        }
      }),
    );
  });

  it('of any content is read without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const message = parseSocksRequest(Buffer.from(bytes));
        if (message.kind === 'message') assert.ok(message.bytes <= bytes.length && message.value.port > 0);
        parseSocksGreeting(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('without a host, a port or a known kind of address is none', () => {
    assert.equal(parseSocksRequest(Buffer.of(5, 1, 0, 3, 0, 0, 80)).kind, 'invalid');
    assert.equal(parseSocksRequest(Buffer.of(5, 1, 0, 2, 1, 0, 80)).kind, 'invalid');
    assert.equal(parseSocksRequest(Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, 0, 0)).kind, 'invalid');
  });
});
