/** Certificates as configuration dumps show them (facts ztunnel-wire 11.4). */
import { X509Certificate } from 'node:crypto';
import type { CertificateStatus } from '../model/proxy-status.ts';
import type { CertificateState } from './certificate-manager.ts';

/** In short. */
export function certificateStatus(identity: string, entry: CertificateState): CertificateStatus {
  return {
    identity,
    state: entry.kind,
    error: entry.kind === 'Unavailable' ? entry.error : '',
    notAfterMs: entry.kind === 'Available' ? entry.certificate.notAfterMs : 0,
  };
}

/** The certificates of an identity, never their keys. */
export function certificateDump(identity: string, entry: CertificateState): unknown {
  switch (entry.kind) {
    case 'Available': {
      const { chainPem, rootsPem } = entry.certificate;
      return { identity, state: 'Available', certChain: chainPem.map(pemDump), rootCerts: rootsPem.map(pemDump) };
    }
    case 'Unavailable':
      return { identity, state: `Unavailable: ${entry.error}`, certChain: [], rootCerts: [] };
    case 'Initializing':
      return { identity, state: 'Initializing', certChain: [], rootCerts: [] };
  }
}

function pemDump(pem: string): unknown {
  const certificate = new X509Certificate(pem);
  return {
    pem: Buffer.from(pem).toString('base64'),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    validFrom: isoSeconds(certificate.validFromDate),
    expirationTime: isoSeconds(certificate.validToDate),
  };
}

function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
