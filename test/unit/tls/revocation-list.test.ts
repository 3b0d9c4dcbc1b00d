import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRevocationLists, revocationKeys } from '../../../src/tls/revocation-list.ts';
import { createTestCa } from '../../helpers/test-ca.ts';
import { createCrl, createCrlPem } from '../../helpers/test-crl.ts';

const ca = createTestCa();
const leaf = new X509Certificate(ca.leaf().certPem);
const serial = BigInt(`0x${leaf.serialNumber}`).toString();
const keysOf = (file: string | Buffer) => {
  const parsed = parseRevocationLists(Buffer.from(file));
  assert.ok(parsed.ok);
  return parsed.value;
};

describe('a revocation list', () => {
  it('names a certificate by issuer and serial, in PEM and DER, in both versions', () => {
    const [key] = revocationKeys(leaf);
    assert.ok(key);
    for (const file of [
      createCrlPem(ca.rootPem, [serial]),
      createCrl(ca.rootPem, [serial]),
      createCrl(ca.rootPem, [serial], false),
    ]) {
      assert.deepEqual(keysOf(file), [key]);
    }
  });

  it('of another authority names other certificates, whatever the serial', () => {
    const other = createTestCa({ organization: 'other' });
    assert.notDeepEqual(keysOf(createCrl(other.rootPem, [serial])), revocationKeys(leaf));
  });

  it('may be empty, and a file may have several', () => {
    assert.deepEqual(keysOf(createCrl(ca.rootPem, [])), []);
    const both = createCrlPem(ca.rootPem, ['1', '128']) + createCrlPem(ca.rootPem, ['255']);
    assert.deepEqual(
      keysOf(both).map((key) => key.split('|')[1]),
      ['01', '80', 'ff'],
    );
  });

  it('that is none is refused', () => {
    for (const file of ['', 'text', '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n']) {
      assert.equal(parseRevocationLists(Buffer.from(file)).ok, false);
    }
    assert.equal(parseRevocationLists(leaf.raw).ok, false, 'a certificate is no list');
  });

  it('of any content is read without an error', () => {
    const good = createCrl(ca.rootPem, [serial]);
    const change = fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(change, (list) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of list) bytes[at] = value;
        parseRevocationLists(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
