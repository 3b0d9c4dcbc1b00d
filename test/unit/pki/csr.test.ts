import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createCsr, verifyCsr } from '../../../src/pki/csr.ts';
import { formatPem, parsePem } from '../../../src/pki/pem.ts';

const URI = 'spiffe://cluster.local/ns/demo/sa/web';
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

function opensslCsr(key: KeyObject): string {
  const directory = mkdtempSync(join(tmpdir(), 'ambit-csr-'));
  const file = join(directory, 'key.pem');
  writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }));
  try {
    return execFileSync('openssl', ['req', '-new', '-key', file, '-subj', '/O=x']).toString();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function codeOf(csr: string): string {
  const result = verifyCsr(csr);
  return result.ok ? 'ok' : result.error.code;
}

describe('createCsr', () => {
  test('makes a request that openssl verifies, with an empty subject and the identity', () => {
    const text = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], {
      input: createCsr(p256, URI),
      stdio: 'pipe',
    }).toString();
    assert.match(text, /Subject: *\n/);
    assert.match(text, new RegExp(`URI:${URI}`));
  });
});

describe('verifyCsr', () => {
  test('accepts P-256, P-384 and RSA keys, own requests and those of openssl, and yields the key', () => {
    const keys = [
      p256,
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
    ];
    for (const key of keys) {
      for (const csr of [createCsr(key, URI), opensslCsr(key)]) {
        const result = verifyCsr(csr);
        assert.ok(result.ok, result.ok ? '' : result.error.message);
        assert.ok(result.value.publicKey.equals(createPublicKey(key)));
      }
    }
  });

  test('refuses weak RSA keys, other curves and Ed25519', () => {
    const refused = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
      generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
      generateKeyPairSync('ed25519').privateKey,
    ];
    for (const key of refused) assert.equal(codeOf(opensslCsr(key)), 'CSR_KEY_REFUSED');
  });

  test('refuses a request that was signed with another key', () => {
    const [own] = parsePem(createCsr(p256, URI));
    const point = (key: KeyObject) => createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-65);
    const other = point(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    const stolen = Buffer.from(own!.der);
    other.copy(stolen, stolen.indexOf(point(p256)));
    assert.equal(codeOf(formatPem('CERTIFICATE REQUEST', stolen)), 'CSR_SIGNATURE_INVALID');
  });

  test('refuses every request in which one bit was flipped', () => {
    const [block] = parsePem(createCsr(p256, URI));
    for (let index = 0; index < block!.der.length; index++) {
      const der = Buffer.from(block!.der);
      der[index] = der[index]! ^ 0x04;
      assert.notEqual(codeOf(formatPem('CERTIFICATE REQUEST', der)), 'ok', `byte ${index}`);
    }
  });

  test('refuses text that is too large, empty, another block, or several blocks', () => {
    const csr = createCsr(p256, URI);
    assert.equal(codeOf('x'.repeat(20_000)), 'CSR_TOO_LARGE');
    assert.equal(codeOf(''), 'CSR_MALFORMED');
    assert.equal(codeOf(csr + csr), 'CSR_MALFORMED');
    assert.equal(codeOf(csr.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')), 'CSR_MALFORMED');
    assert.equal(codeOf(formatPem('CERTIFICATE REQUEST', Buffer.from('30800000', 'hex'))), 'CSR_MALFORMED');
  });

  test('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.notEqual(codeOf(formatPem('CERTIFICATE REQUEST', bytes)), 'ok');
        assert.notEqual(codeOf(Buffer.from(bytes).toString('latin1')), 'ok');
      }),
    );
  });
});
