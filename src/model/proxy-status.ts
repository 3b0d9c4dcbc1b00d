/** How a proxy is, in short: the answer of `/status` of its admin endpoint. */

export interface CertificateStatus {
  /** `spiffe://…`. */
  readonly identity: string;
  readonly state: 'Initializing' | 'Available' | 'Unavailable';
  /** Why there is none; empty otherwise. */
  readonly error: string;
  /** By wall clock, in milliseconds; 0 without one. */
  readonly notAfterMs: number;
}

export interface ProxyStatus {
  readonly version: string;
  readonly certificates: readonly CertificateStatus[];
  /** Open just now. */
  readonly connections: number;
}
