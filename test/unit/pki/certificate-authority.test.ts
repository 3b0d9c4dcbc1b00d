import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { openCertificateAuthority } from '../../../src/pki/certificate-authority.ts';
import {
  activateNextRoot,
  announceNextRoot,
  ensureOwnRoot,
  maintainOwnRoot,
  retireOldRoots,
} from '../../../src/pki/own-root.ts';
import { splitCertificates } from '../../../src/pki/pem.ts';
import { createTestCa, type TestCa } from '../../helpers/test-ca.ts';

const URI = 'spiffe://cluster.local/ns/demo/sa/web';
const DAY_MS = 86_400_000;
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const made: string[] = [];

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ambit-ca-'));
  made.push(path);
  return path;
}

after(async () => {
  for (const path of made) await rm(path, { recursive: true, force: true });
});

function keyPem(ca: TestCa): string {
  return ca.issuer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function plugIn(path: string, ca: TestCa, overrides: Record<string, string> = {}): Promise<void> {
  const files = {
    'ca-cert.pem': ca.issuer.certificate.pem,
    'ca-key.pem': keyPem(ca),
    'cert-chain.pem': ca.issuer.certificate.pem + ca.rootPem,
    'root-cert.pem': ca.rootPem,
    ...overrides,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
}

const open = (path: string, options = {}, clock: Clock = systemClock) =>
  openCertificateAuthority({ directory: path, ...options }, { clock, logger: silentLogger });

async function opensslVerify(chain: readonly string[]): Promise<string> {
  const path = await directory();
  await writeFile(join(path, 'leaf'), chain[0]!);
  await writeFile(join(path, 'middle'), chain.slice(1, -1).join(''));
  await writeFile(join(path, 'root'), chain.at(-1)!);
  const untrusted = chain.length > 2 ? ['-untrusted', join(path, 'middle')] : [];
  return execFileSync('openssl', [
    'verify',
    '-x509_strict',
    '-CAfile',
    join(path, 'root'),
    ...untrusted,
    join(path, 'leaf'),
  ]).toString();
}

describe('CertificateAuthority', () => {
  for (const keyType of ['ec', 'rsa'] as const) {
    test(`issues leafs from an own ${keyType} root as Istio's CA does`, async () => {
      const path = join(await directory(), 'ca');
      assert.equal(await ensureOwnRoot({ directory: path, organization: 'cluster.local', keyType }, Date.now()), true);
      assert.equal(await ensureOwnRoot({ directory: path, organization: 'cluster.local', keyType }, Date.now()), false);
      const { chain } = (await open(path)).issue({ publicKey, uris: [URI] });
      assert.equal(chain.length, 2);
      const leaf = new X509Certificate(chain[0]!);
      const root = new X509Certificate(chain[1]!);
      assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey));
      assert.equal(leaf.subject, undefined);
      assert.equal(leaf.subjectAltName, `URI:${URI}`);
      assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
      assert.equal(leaf.ca, false);
      assert.equal(root.ca, true);
      assert.equal(leaf.serialNumber.length, 32);
      const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: chain[0]! }).toString();
      assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Key Encipherment/);
      assert.match(text, /X509v3 Subject Alternative Name: critical\s+URI:spiffe/);
      assert.match(text, /X509v3 Basic Constraints: critical\s+CA:FALSE/);
      assert.match(text, /X509v3 Authority Key Identifier/);
    });
  }

  test('writes host names and IP addresses into serving certificates', async () => {
    const path = await directory();
    await plugIn(path, createTestCa());
    const { chain } = (await open(path)).issue({
      publicKey,
      dnsNames: ['istiod.istio-system.svc', '127.0.0.1', 'fd00::1'],
    });
    const leaf = new X509Certificate(chain[0]!);
    assert.equal(leaf.checkHost('istiod.istio-system.svc'), 'istiod.istio-system.svc');
    assert.deepEqual([leaf.checkIP('127.0.0.1'), leaf.checkIP('fd00::1')], ['127.0.0.1', 'fd00::1']);
  });

  test('keeps the directory and the key of an own root to its owner', async () => {
    const path = join(await directory(), 'ca');
    await ensureOwnRoot({ directory: path, organization: 'x' }, Date.now());
    assert.equal((await stat(path)).mode & 0o777, 0o700);
    assert.equal((await stat(join(path, 'ca-key.pem'))).mode & 0o777, 0o600);
    assert.deepEqual(
      (await readdir(path)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  test('starts leafs two minutes ago and gives them 24 hours, or what was asked up to the cap', async () => {
    const path = await directory();
    const nowMs = Math.floor(Date.now() / 1000) * 1000;
    await ensureOwnRoot({ directory: path, organization: 'x' }, nowMs - DAY_MS);
    const ca = await open(path, {}, { ...systemClock, nowMs: () => nowMs });
    const life = (ttlMs: number) => {
      const leaf = new X509Certificate(ca.issue({ publicKey, uris: [URI], ttlMs }).chain[0]!);
      assert.equal(leaf.validFromDate.getTime(), nowMs - 120_000);
      return leaf.validToDate.getTime() - nowMs;
    };
    assert.deepEqual([0, -1, 2000, 3600_000, 900 * DAY_MS].map(life), [DAY_MS, DAY_MS, 2000, 3600_000, 90 * DAY_MS]);
  });

  test('never lets a leaf outlive the certificates above it', async () => {
    const path = await directory();
    const ca = createTestCa({ notAfterMs: Date.now() + 60_000 });
    await plugIn(path, ca);
    const issued = (await open(path)).issue({ publicKey, uris: [URI], ttlMs: DAY_MS });
    assert.equal(new X509Certificate(issued.chain[0]!).validToDate.getTime(), ca.issuer.certificate.notAfterMs);
  });

  test('sends leaf, intermediates one by one, and the root last', async () => {
    for (const keyType of ['ec', 'rsa'] as const) {
      const path = await directory();
      const root = createTestCa({ keyType });
      const upper = root.intermediate('upper');
      const lower = upper.intermediate('lower');
      const chainText = lower.issuer.certificate.pem + upper.issuer.certificate.pem + root.rootPem;
      await plugIn(path, lower, { 'cert-chain.pem': chainText });
      const { chain } = (await open(path)).issue({ publicKey, uris: [URI] });
      assert.deepEqual(chain.slice(1), [lower.issuer.certificate.pem, upper.issuer.certificate.pem, root.rootPem]);
      assert.match(await opensslVerify(chain), /OK/);
    }
  });

  test('refuses unusable files with a reason that names the file', async () => {
    const ca = createTestCa();
    const other = createTestCa();
    const leaf = ca.leaf();
    const cases: [Record<string, string>, string, RegExp][] = [
      [{ 'ca-key.pem': keyPem(other) }, 'CA_KEY_MISMATCH', /ca-key\.pem/],
      [{ 'ca-cert.pem': leaf.certPem, 'ca-key.pem': leaf.keyPem }, 'CA_NOT_A_CA', /ca-cert\.pem/],
      [{ 'root-cert.pem': other.rootPem }, 'CA_CHAIN_BROKEN', /root-cert\.pem/],
      [{ 'ca-key.pem': 'junk' }, 'CA_FILE_MALFORMED', /ca-key\.pem/],
      [{ 'ca-cert.pem': 'junk' }, 'CA_FILE_MALFORMED', /ca-cert\.pem/],
      [
        { 'root-cert.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
        'CA_FILE_MALFORMED',
        /root-cert\.pem/,
      ],
    ];
    for (const [overrides, code, message] of cases) {
      const path = await directory();
      await plugIn(path, ca, overrides);
      await assert.rejects(
        open(path),
        (error: Error & { code: string }) => error.code === code && message.test(error.message),
        code,
      );
    }
    const expired = await directory();
    await plugIn(expired, createTestCa({ notAfterMs: Date.now() - 1000 }));
    await assert.rejects(open(expired), { code: 'CA_EXPIRED' });
    await assert.rejects(open(await directory()), { code: 'CA_FILE_UNREADABLE' });
  });

  test('takes new files into use and keeps the former ones while the new are broken', async () => {
    const path = await directory();
    await plugIn(path, createTestCa());
    const authority = await open(path);
    let changes = 0;
    authority.onChange(() => changes++);
    const before = authority.rootsPem;
    const next = createTestCa();
    await writeFile(join(path, 'ca-key.pem'), keyPem(next));
    await authority.reload();
    assert.equal(authority.rootsPem, before);
    assert.match(authority.problem ?? '', /ca-key\.pem/);
    await plugIn(path, next);
    await authority.reload();
    assert.deepEqual([authority.rootsPem, authority.problem, changes], [next.rootPem, undefined, 1]);
    authority.stop();
  });

  test('notices changed files by itself', { timeout: 60_000 }, async () => {
    const path = await directory();
    await plugIn(path, createTestCa());
    const authority = await open(path, { rescanMs: 50 });
    authority.watch();
    const changed = new Promise<void>((resolve) => authority.onChange(resolve));
    const next = createTestCa();
    await plugIn(path, next);
    // The watch does not keep the process alive; the test has to.
    const alive = setInterval(() => undefined, 1000);
    await changed;
    clearInterval(alive);
    assert.equal(authority.rootsPem, next.rootPem);
    authority.stop();
  });
});

describe('root rotation', () => {
  test('keeps leafs of both roots valid from the announcement to the retirement', async () => {
    const path = join(await directory(), 'ca');
    const options = { directory: path, organization: 'cluster.local' };
    await ensureOwnRoot(options, Date.now());
    const authority = await open(path);
    const oldLeaf = authority.issue({ publicKey, uris: [URI] }).chain;
    await announceNextRoot(options, Date.now());
    await authority.reload();
    const announced = authority.issue({ publicKey, uris: [URI] }).chain;
    assert.equal(splitCertificates(announced.at(-1)!).length, 2);
    await activateNextRoot(path);
    await authority.reload();
    const newLeaf = authority.issue({ publicKey, uris: [URI] }).chain;
    assert.equal(
      new X509Certificate(newLeaf[0]!).checkIssued(new X509Certificate(splitCertificates(newLeaf.at(-1)!)[1]!)),
      true,
    );
    const bundle = newLeaf.at(-1)!;
    for (const leaf of [oldLeaf, announced, newLeaf]) assert.match(await opensslVerify([leaf[0]!, bundle]), /OK/);
    await retireOldRoots(path);
    await authority.reload();
    assert.equal(splitCertificates(authority.rootsPem).length, 1);
    assert.match(await opensslVerify([newLeaf[0]!, authority.rootsPem]), /OK/);
    authority.stop();
  });

  test('is started by age, waits for the overlap, and drops roots that have expired', async () => {
    const path = join(await directory(), 'ca');
    const options = { directory: path, organization: 'x', lifetimeMs: 100 * DAY_MS };
    const startMs = Date.now();
    await ensureOwnRoot(options, startMs);
    const at = (days: number) => maintainOwnRoot(options, 2 * DAY_MS, startMs + days * DAY_MS);
    assert.equal(await at(70), 'none');
    assert.equal(await at(81), 'announced');
    assert.equal(await at(82), 'none');
    assert.equal(await at(84), 'activated');
    const roots = async () => splitCertificates(await readFile(join(path, 'root-cert.pem'), 'utf8')).length;
    assert.equal(await roots(), 2);
    assert.equal(await at(101), 'none');
    assert.equal(await roots(), 1);
  });
});

describe('the test CA', () => {
  test('issues leafs with chosen keys that node:crypto accepts', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { certPem } = createTestCa().leaf({ privateKey, usage: 'client' });
    const leaf = new X509Certificate(certPem);
    assert.ok(leaf.checkPrivateKey(privateKey));
    assert.ok(leaf.publicKey.equals(createPublicKey(privateKey)));
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  });
});
