import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nameLabels, readDnsName, splitLabels } from '../../../src/dns/dns-name.ts';

/** A name behind a header of zeros. */
function at12(...bytes: (number | string)[]): Buffer {
  const parts = bytes.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from([part])));
  return Buffer.concat([Buffer.alloc(12), ...parts]);
}

describe('readDnsName', () => {
  it('reads labels up to the root and keeps their case', () => {
    assert.deepEqual(readDnsName(at12(3, 'wWw', 2, 'ex', 0, 9), 12), { name: 'wWw.ex', next: 20 });
    assert.deepEqual(readDnsName(at12(0), 12), { name: '', next: 13 });
  });

  it('follows a pointer backwards and goes on behind it', () => {
    const bytes = at12(2, 'ex', 0, 1, 'a', 0xc0, 12, 7);
    assert.deepEqual(readDnsName(bytes, 16), { name: 'a.ex', next: 20 });
    assert.deepEqual(readDnsName(at12(2, 'ex', 0, 1, 'a', 0xc0, 12, 0xc0, 16), 20), { name: 'a.ex', next: 22 });
  });

  it('refuses pointers in place, forward, in circles, into the header, and cut off', () => {
    assert.equal(readDnsName(at12(0xc0, 12), 12), undefined);
    assert.equal(readDnsName(at12(0xc0, 14, 0), 12), undefined);
    assert.equal(readDnsName(at12(1, 'a', 0xc0, 12), 12), undefined);
    assert.equal(readDnsName(at12(1, 'a', 0xc0, 14), 14), undefined);
    assert.equal(readDnsName(at12(0xc0, 0), 12), undefined);
    assert.equal(readDnsName(at12(0xc0), 12), undefined);
  });

  it('refuses reserved label types, cut labels, and names over 255 bytes', () => {
    assert.equal(readDnsName(at12(0x40, 'a'), 12), undefined);
    assert.equal(readDnsName(at12(0x80, 'a'), 12), undefined);
    assert.equal(readDnsName(at12(5, 'abc'), 12), undefined);
    assert.equal(readDnsName(at12(3, 'abc'), 12), undefined);
    const label = [63, 'x'.repeat(63)] as const;
    assert.equal(readDnsName(at12(...label, ...label, ...label, 61, 'x'.repeat(61), 0), 12)?.name.length, 253);
    assert.equal(readDnsName(at12(...label, ...label, ...label, 62, 'x'.repeat(62), 0), 12), undefined);
  });

  it('escapes what could be taken for something else', () => {
    assert.equal(readDnsName(at12(4, 'a.b\\', 2, '\xc4 ', 0), 12)?.name, 'a\\.b\\\\.\\196\\032');
  });
});

describe('nameLabels', () => {
  it('turns every text of readDnsName back into the same bytes', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(label, { maxLength: 6 }), (labels) => {
        const bytes = at12(...labels.flatMap((one) => [one.length, Buffer.from(one).toString('latin1')]), 0);
        const name = readDnsName(bytes, 12)?.name;
        assert.ok(name !== undefined);
        assert.match(name, /^[\x21-\x7e]*$/);
        assert.deepEqual(
          nameLabels(name)?.map((one) => [...one]),
          labels.map((one) => [...one]),
        );
        if (labels.length > 0) assert.equal(splitLabels(name).length, labels.length);
      }),
    );
  });

  it('refuses empty and long labels, long names, and bytes that no label text has', () => {
    for (const text of ['a..b', '.a', 'a.', 'x'.repeat(64), `${'abcdefg.'.repeat(32)}a`, 'é', 'a b', '\\999', 'a\\']) {
      assert.equal(nameLabels(text), undefined, text);
    }
    assert.deepEqual(nameLabels(''), []);
  });
});
