/**
 * Certificates without a certificate service, for `FAKE_CA` only (facts ztunnel-wire 15.1). The root's key follows from a
 * constant that anyone can read, so that separate processes trust each other; it protects nothing.
 */
import { createECDH, createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { type Issuer, issueCaCertificate, issueLeaf } from '../pki/certificate-signing.ts';
import { parseCertificate } from '../pki/parsed-certificate.ts';
import { formatPem } from '../pki/pem.ts';
import type { WorkloadCertificate } from '../pki/workload-certificate.ts';
import type { CertificateSource } from '../xds/client/ca-client.ts';

const KEY_SEED = 'ambit fake certificate authority';
const ROOT_LIFETIME_MS = 10 * 365 * 86_400_000;
const SKEW_MS = 60_000;

/** Signs whatever is asked with the well-known root. */
export class FakeCertificateSource implements CertificateSource {
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #issuer: Issuer;
  readonly #rootPem: string;

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
    const privateKey = wellKnownKey();
    const nowMs = clock.nowMs();
    const notAfterMs = nowMs + ROOT_LIFETIME_MS;
    const der = issueCaCertificate({
      privateKey,
      organization: 'cluster.local',
      notBeforeMs: nowMs - SKEW_MS,
      notAfterMs,
    });
    const certificate = parseCertificate(der);
    if (certificate === undefined)
      throw new AmbitError('FAKE_CA_FAILED', 'the fake root certificate cannot be read back');
    this.#issuer = { certificate, privateKey };
    this.#rootPem = formatPem('CERTIFICATE', der);
  }

  async fetch(identity: SpiffeId): Promise<WorkloadCertificate> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const nowMs = this.#clock.nowMs();
    const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + this.#ttlMs };
    const der = issueLeaf(this.#issuer, { publicKey, uris: [identity], ...validity });
    return {
      identity,
      keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chainPem: [formatPem('CERTIFICATE', der)],
      rootsPem: [this.#rootPem],
      ...validity,
    };
  }

  close(): void {
    // Nothing is open.
  }
}

/** Without any certificate authority every request for a certificate says so. */
export const noCertificateSource: CertificateSource = {
  fetch: () =>
    Promise.reject(
      new AmbitError('NO_CERTIFICATE_AUTHORITY', 'no certificate authority is configured: set CA_ADDRESS'),
    ),
  close: () => undefined,
};

function wellKnownKey(): KeyObject {
  const secret = createHash('sha256').update(KEY_SEED).digest();
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const coordinate = (start: number) => point.subarray(start, start + 32).toString('base64url');
  const key = { kty: 'EC', crv: 'P-256', d: secret.toString('base64url'), x: coordinate(1), y: coordinate(33) };
  return createPrivateKey({ key, format: 'jwk' });
}
