import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCsr, verifyCsr } from '../../src/pki/csr.ts';
import { parseCertificate } from '../../src/pki/parsed-certificate.ts';
import { formatPem, parsePem } from '../../src/pki/pem.ts';
import { createTestCa } from '../helpers/test-ca.ts';

const budgetMs = Number(process.env['FUZZ_MS'] ?? 2000);
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const csr = parsePem(createCsr(key.privateKey, 'spiffe://cluster.local/ns/a/sa/b'))[0]!.der;
const certificate = parsePem(createTestCa().rootPem)[0]!.der;
const damage = fc.array(fc.record({ at: fc.nat(1000), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 });

function damaged(der: Buffer, changes: readonly { at: number; byte: number }[]): Buffer {
  const copy = Buffer.from(der);
  for (const { at, byte } of changes) copy[at % copy.length] = byte;
  return copy;
}

test('verifyCsr never throws and accepts no damaged request', () => {
  const limits = {
    interruptAfterTimeLimit: budgetMs / 2,
    numRuns: Number.MAX_SAFE_INTEGER,
    markInterruptAsFailure: false,
  };
  fc.assert(
    fc.property(damage, (changes) => {
      const der = damaged(csr, changes);
      assert.equal(verifyCsr(formatPem('CERTIFICATE REQUEST', der)).ok, der.equals(csr));
    }),
    limits,
  );
  fc.assert(
    fc.property(damage, (changes) => {
      parseCertificate(damaged(certificate, changes));
    }),
    limits,
  );
});
