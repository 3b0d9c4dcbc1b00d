import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalIp, ipFromBytes } from '../../../src/model/address.ts';
import { encodeProxyHeader, MAX_HEADER_BYTES, parseProxyHeader } from '../../../src/net/proxy-protocol-v2.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

describe('PROXY v2', () => {
  it('writes the header of the specification for IPv4', () => {
    const header = encodeProxyHeader({
      source: { address: '10.0.0.1', port: 40000 },
      destination: { address: '10.0.0.2', port: 80 },
    });
    assert.equal(header?.toString('hex'), `${SIGNATURE}2111000c0a0000010a0000029c400050`);
  });

  it('carries the SPIFFE id of the client in TLV 0xD0', () => {
    const header = encodeProxyHeader({
      source: { address: 'fd00::1', port: 1 },
      destination: { address: 'fd00::2', port: 2 },
      peerIdentity: 'spiffe://td/ns/a/sa/b',
    });
    const text = header?.toString('hex') ?? '';
    assert.ok(text.startsWith(`${SIGNATURE}2121003c`));
    assert.ok(text.endsWith(`d00015${Buffer.from('spiffe://td/ns/a/sa/b').toString('hex')}`));
  });

  it('writes both addresses as IPv6 when their families differ', () => {
    const header = encodeProxyHeader({
      source: { address: '10.0.0.1', port: 1 },
      destination: { address: 'fd00::2', port: 2 },
    });
    assert.equal(header?.[13], 0x21);
    assert.equal(header?.subarray(16, 32).toString('hex'), '00000000000000000000ffff0a000001');
    const result = parseProxyHeader(header ?? Buffer.alloc(0));
    assert.equal(result.kind === 'proxy' && result.header.source.address, '10.0.0.1');
  });

  it('writes nothing for text that is no address or an identity that is too long', () => {
    const end = { address: '10.0.0.1', port: 1 };
    assert.equal(encodeProxyHeader({ source: { address: 'host', port: 1 }, destination: end }), undefined);
    const peerIdentity = 'x'.repeat(MAX_HEADER_BYTES);
    assert.equal(encodeProxyHeader({ source: end, destination: end, peerIdentity }), undefined);
  });

  it('reads back what it wrote, and needs exactly those bytes', () => {
    const address = fc
      .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
      .map((bytes) => canonicalIp(ipFromBytes(bytes) ?? ''));
    const endpoint = fc.tuple(address, fc.integer({ min: 0, max: 65535 })).map(([ip, port]) => ({ address: ip, port }));
    fc.assert(
      fc.property(
        endpoint,
        endpoint,
        fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
        fc.nat(),
        (source, destination, identity, cut) => {
          const header = { source, destination, ...(identity === undefined ? {} : { peerIdentity: identity }) };
          const bytes = encodeProxyHeader(header) ?? Buffer.alloc(0);
          const followed = Buffer.concat([bytes, Buffer.from('payload')]);
          assert.deepEqual(parseProxyHeader(followed), { kind: 'proxy', headerBytes: bytes.length, header });
          assert.deepEqual(parseProxyHeader(bytes.subarray(0, cut % bytes.length)), { kind: 'incomplete' });
        },
      ),
    );
  });

  it('takes LOCAL and unknown addresses as "use those of the connection"', () => {
    for (const rest of ['20110000', '21000000', '2000000401020304']) {
      const bytes = Buffer.from(SIGNATURE + rest, 'hex');
      assert.deepEqual(parseProxyHeader(bytes), { kind: 'local', headerBytes: bytes.length });
    }
  });

  it('refuses what is not a TCP header of version 2', () => {
    const cases: [string, RegExp][] = [
      ['474554202f', /signature/],
      [`${SIGNATURE}11110000`, /version/],
      [`${SIGNATURE}22110000`, /command/],
      [`${SIGNATURE}2112000c0a0000010a00000200010002`, /TCP/],
      [`${SIGNATURE}211100080a0000010a000002`, /cut off/],
      [`${SIGNATURE}2111000e0a0000010a00000200010002d000`, /TLV/],
      [`${SIGNATURE}211100100a0000010a00000200010002d0000200`, /TLV/],
      [`${SIGNATURE}2111ffff`, /too long/],
    ];
    for (const [hex, reason] of cases) {
      const result = parseProxyHeader(Buffer.from(hex, 'hex'));
      assert.match(result.kind === 'invalid' ? result.reason : result.kind, reason);
    }
  });

  it('reads TLVs only when their lengths add up to the header, and the first identity among them (row 26)', () => {
    const anyTlv = fc.record({
      type: fc.oneof(fc.constantFrom(0xd0, 0x00, 0x04, 0x20), fc.nat(255)),
      value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      // What the TLV says of its length is wrong by so much.
      wrongBy: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 }), fc.constant(60_000)),
    });
    const addresses = Buffer.from('0a0000010a00000200010002', 'hex');
    fc.assert(
      fc.property(fc.array(anyTlv, { maxLength: 6 }), fc.integer({ min: -4, max: 4 }), (tlvs, headerWrongBy) => {
        const written = tlvs.map(({ type, value, wrongBy }) => {
          const head = Buffer.of(type, 0, 0);
          head.writeUInt16BE(Math.max(0, value.length + wrongBy), 1);
          return Buffer.concat([head, value]);
        });
        const tail = Buffer.concat(written);
        const said = Math.max(0, addresses.length + tail.length + headerWrongBy);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(said);
        const payload = Buffer.alloc(8, 'payload!');
        const bytes = Buffer.concat([Buffer.from(`${SIGNATURE}2111`, 'hex'), length, addresses, tail, payload]);
        const result = parseProxyHeader(bytes);
        const read = readTlvs(bytes.subarray(16 + addresses.length, 16 + said));
        if (said < addresses.length || read === undefined) return assert.equal(result.kind, 'invalid');
        assert.ok(result.kind === 'proxy', result.kind);
        assert.equal(result.headerBytes, 16 + said, 'what follows is not the header');
        assert.equal(result.header.peerIdentity, read.find(([type]) => type === 0xd0)?.[1].toString());
      }),
      { numRuns: 2000 },
    );
  });
});

/** All TLVs of these bytes, one after the other; undefined when the last one is not whole. */
function readTlvs(bytes: Buffer): readonly (readonly [type: number, value: Buffer])[] | undefined {
  if (bytes.length === 0) return [];
  if (bytes.length < 3) return undefined;
  const size = 3 + bytes.readUInt16BE(1);
  if (bytes.length < size) return undefined;
  const rest = readTlvs(bytes.subarray(size));
  return rest && [[bytes[0] ?? 0, bytes.subarray(3, size)], ...rest];
}
