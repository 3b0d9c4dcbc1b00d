import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bitString,
  bitStringBytes,
  contentOf,
  decodeDer,
  derElement,
  encodeDer,
  oid,
  oidOf,
  positiveInteger,
  time,
} from '../../../src/pki/der.ts';
import { formatPem, parsePem, splitCertificates } from '../../../src/pki/pem.ts';

describe('DER', () => {
  test('decodes what it encodes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
        assert.deepEqual(bitStringBytes(decodeDer(encodeDer(bitString(bytes)))), Buffer.from(bytes));
        const digits = contentOf(decodeDer(encodeDer(positiveInteger(bytes))));
        assert.equal(BigInt(`0x${digits.toString('hex')}`), BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
        assert.ok((digits[0] ?? 0) < 0x80);
      }),
    );
    assert.equal(oidOf(decodeDer(encodeDer(oid('1.2.840.113549.1.9.14')))), '1.2.840.113549.1.9.14');
  });

  test('never throws on arbitrary bytes, and cuts elements only inside of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        decodeDer(bytes);
        const element = derElement(Buffer.from(bytes), 0);
        assert.ok(element === undefined || element.length <= bytes.length);
      }),
    );
    assert.equal(decodeDer(Buffer.alloc(20_000, 0x30)), undefined);
  });

  test('writes years from 2050 on as GeneralizedTime', () => {
    assert.equal(contentOf(time(Date.UTC(2049, 11, 31, 23, 59, 59))).toString(), '491231235959Z');
    assert.equal(contentOf(time(Date.UTC(2050, 0, 1))).toString(), '20500101000000Z');
  });
});

describe('PEM', () => {
  test('reads what it writes, with text around it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        const [block] = parsePem(`text\r\n${formatPem('X Y', bytes).replaceAll('\n', '\r\n')}more`);
        assert.deepEqual(block, { label: 'X Y', der: Buffer.from(bytes) });
      }),
    );
  });

  test('splits a bundle and leaves keys out', () => {
    const certificate = formatPem('CERTIFICATE', Buffer.from('a'));
    assert.deepEqual(splitCertificates(certificate + formatPem('PRIVATE KEY', Buffer.from('k')) + certificate), [
      certificate,
      certificate,
    ]);
  });
});
