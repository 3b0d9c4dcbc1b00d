/** A workload's key and certificate chain as the proxy holds them: in memory only, as PEM so that threads can share them. */
import type { SpiffeId } from '../model/spiffe.ts';

export interface WorkloadCertificate {
  readonly identity: SpiffeId;
  /** PKCS#8. Never logged, never written. */
  readonly keyPem: string;
  /** The leaf, then its intermediates. */
  readonly chainPem: readonly string[];
  /** The roots to trust, one certificate per entry. */
  readonly rootsPem: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * When to ask for the successor: at half of the lifetime (facts ztunnel-wire 10.2), counted from when the certificate
 * came, because authorities date certificates back by minutes and short-lived ones would be past their half at once.
 */
export function renewAtMs(certificate: WorkloadCertificate, receivedAtMs: number): number {
  const startMs = Math.max(certificate.notBeforeMs, receivedAtMs);
  return startMs + (certificate.notAfterMs - startMs) / 2;
}
