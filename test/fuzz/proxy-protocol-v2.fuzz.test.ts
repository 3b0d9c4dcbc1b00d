import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { encodeProxyHeader, MAX_HEADER_BYTES, parseProxyHeader } from '../../src/net/proxy-protocol-v2.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const SEED = encodeProxyHeader({
  source: { address: '10.0.0.1', port: 1 },
  destination: { address: '10.0.0.2', port: 2 },
  peerIdentity: 'spiffe://td/ns/a/sa/b',
}) as Buffer;

it('the PROXY v2 parser never throws, and never claims more bytes than it was given', () => {
  const changes = fc.array(fc.tuple(fc.nat({ max: SEED.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 });
  const mutated = fc.tuple(changes, fc.uint8Array({ maxLength: 64 })).map(([list, tail]) => {
    const bytes = Buffer.concat([SEED, tail]);
    for (const [at, value] of list) bytes[at] = value;
    return bytes;
  });
  const input = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 256 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(input, (bytes) => {
      const result = parseProxyHeader(bytes);
      if (result.kind === 'incomplete') assert.ok(bytes.length < MAX_HEADER_BYTES);
      if (result.kind === 'proxy' || result.kind === 'local') {
        assert.ok(result.headerBytes >= 16 && result.headerBytes <= bytes.length);
      }
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
