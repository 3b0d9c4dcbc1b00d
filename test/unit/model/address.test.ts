import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  canonicalIp,
  cidrContains,
  formatAddress,
  formatCidr,
  ipFromBytes,
  ipToBytes,
  isLocalOnly,
  isLoopback,
  makeCidr,
  parseCidr,
  parseIpAddress,
} from '../../../src/model/address.ts';

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const sparse16 = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ minLength: 16, maxLength: 16, max: 1 }))
  .map(([value, mask]) => value.map((byte, index) => byte * (mask[index] ?? 0)));
const anyBytes = fc.oneof(bytes4, sparse16, fc.uint8Array({ minLength: 16, maxLength: 16 }));
const v6Text = fc.oneof(
  fc.ipV6(),
  fc.ipV6().map((text) => text.toUpperCase()),
);

describe('an address', () => {
  it('survives text and bytes, and Node agrees that the text is one', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = ipFromBytes(bytes) ?? assert.fail();
        assert.notEqual(isIP(text), 0);
        assert.equal(parseIpAddress(text), text);
        assert.equal(ipFromBytes(ipToBytes(text)), text);
      }),
      { numRuns: 1000 },
    );
  });

  it('in any spelling is the same text as WHATWG URLs make of it', () => {
    fc.assert(
      fc.property(v6Text, (text) => {
        const ip = parseIpAddress(text) ?? assert.fail(text);
        const url = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        if (ip.includes(':')) assert.equal(ip, url);
        else assert.match(url, /^::ffff:/);
      }),
      { numRuns: 1000 },
    );
  });

  it('is read exactly when Node reads it, zones apart', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: fc.constantFrom(...'0123456789abcf:.%/ ') }), fc.ipV4(), v6Text),
        (text) => {
          assert.equal(parseIpAddress(text) !== undefined, isIP(text) !== 0 && !text.includes('%'));
        },
      ),
      { numRuns: 3000 },
    );
  });

  for (const [text, expected] of [
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['::1', '::1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::10.0.0.1', '::a00:1'],
    ['010.0.0.1', undefined],
    ['10.0.0', undefined],
    ['fe80::1%eth0', undefined],
    ['[::1]', undefined],
    ['', undefined],
  ] as const) {
    it(`"${text}" is ${expected ?? 'none'}`, () => assert.equal(parseIpAddress(text), expected));
  }

  it('of 4 or 16 bytes only', () => {
    for (const length of [0, 1, 3, 5, 15, 17]) assert.equal(ipFromBytes(new Uint8Array(length)), undefined);
  });

  it('from the kernel loses its zone and its mapping', () => {
    assert.equal(canonicalIp('::ffff:10.0.0.1'), '10.0.0.1');
    assert.equal(canonicalIp('fe80::1%eth0'), 'fe80::1');
  });

  it('of the loopback is known', () => {
    const loopback = ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', '128.0.0.1', '::2'];
    assert.deepEqual(
      loopback.map((text) => isLoopback(parseIpAddress(text) ?? assert.fail())),
      [true, true, true, true, false, false],
    );
  });

  it('of one machine or link only is known', () => {
    const local = ['127.8.9.1', '::1', '0.0.0.0', '::', '169.254.169.254', '::ffff:a9fe:a9fe', 'fe80::1', 'febf::1'];
    const others = ['10.0.0.1', '169.253.0.1', '1.0.0.1', 'fd00::1', 'fec0::1', '2001:db8::1', '::2'];
    const known = (text: string) => isLocalOnly(parseIpAddress(text) ?? assert.fail());
    assert.deepEqual([...local, ...others].filter(known), local);
  });

  it('is printed with brackets when it is IPv6', () => {
    assert.equal(formatAddress('::1', 80), '[::1]:80');
    assert.equal(formatAddress('10.0.0.1', 80), '10.0.0.1:80');
  });
});

describe('a block', () => {
  /** What Node says; undefined for a mapped address of sixteen bytes, which the mesh never makes. */
  function nodeSays(base: Uint8Array, prefixLength: number, address: Uint8Array): boolean | undefined {
    const baseText = ipFromBytes(base) ?? '';
    const text = ipFromBytes(address) ?? '';
    if (baseText.includes(':') !== (base.length === 16) || text.includes(':') !== (address.length === 16))
      return undefined;
    const family = (bytes: Uint8Array) => (bytes.length === 4 ? 'ipv4' : 'ipv6');
    const list = new BlockList();
    list.addSubnet(baseText, prefixLength, family(base));
    return base.length === address.length && list.check(text, family(address));
  }

  it('holds what Node says that it holds', () => {
    const bytes = fc.oneof(bytes4, fc.uint8Array({ minLength: 16, maxLength: 16 }));
    let held = 0;
    fc.assert(
      fc.property(bytes, bytes, fc.nat({ max: 128 }), fc.nat({ max: 16 }), (base, other, length, shared) => {
        const prefixLength = Math.min(length, base.length * 8);
        const near = Uint8Array.from(base, (byte, index) => (index < shared ? byte : (other[index] ?? byte)));
        const cidr = makeCidr(base, prefixLength) ?? assert.fail();
        for (const address of [other, near]) {
          const expected = nodeSays(base, prefixLength, address);
          if (expected === undefined) continue;
          if (expected) held++;
          assert.equal(cidrContains(cidr, address), expected);
        }
      }),
      { numRuns: 1000 },
    );
    assert.ok(held > 100, `only ${held} addresses were inside`);
  });

  for (const [text, expected] of [
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['fd00::1/7', 'fc00::/7'],
    ['10.0.0.0/33', undefined],
    ['::/129', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/-1', undefined],
    ['10.0.0.0/8/8', undefined],
    ['x/8', undefined],
  ] as const) {
    it(`"${text}" is ${expected ?? 'none'}`, () => {
      const cidr = parseCidr(text);
      assert.equal(cidr && formatCidr(cidr), expected);
    });
  }

  it('never fits bytes of another length', () => {
    assert.equal(makeCidr(new Uint8Array(5), 8), undefined);
    assert.equal(makeCidr(new Uint8Array(4), 33), undefined);
  });
});
