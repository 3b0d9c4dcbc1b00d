/** The control plane's own TLS certificate, issued by its CA and renewed while serving. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { experimental } from '@grpc/grpc-js';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';

type IdentityListener = experimental.IdentityCertificateUpdateListener;
type CaListener = experimental.CaCertificateUpdateListener;

const RETRY_MS = 5_000;

/** Hands a current certificate to the gRPC server: at first, at half of its life, and when the CA changes. */
export class ServingCertificate implements experimental.CertificateProvider {
  readonly #names: readonly string[];
  readonly #authority: CertificateAuthority;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<IdentityListener>();
  readonly #unsubscribe: () => void;
  #current: { readonly certificate: Buffer; readonly privateKey: Buffer } | null = null;
  #renewal: Timer | undefined;

  /** @param dnsNames the names under which proxies call */
  constructor(dnsNames: readonly string[], authority: CertificateAuthority, deps: { clock: Clock; logger: Logger }) {
    this.#names = dnsNames;
    this.#authority = authority;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#renew();
    this.#unsubscribe = authority.onChange(() => this.#renew());
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.add(listener);
    // Not from within the call: grpc-js loses what arrives before the listener is registered.
    process.nextTick(() => {
      if (this.#listeners.has(listener)) listener(this.#current);
    });
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.delete(listener);
  }

  addCaCertificateListener(listener: CaListener): void {
    // Clients bring no certificate, so there is nothing to verify them with.
    process.nextTick(() => listener(null));
  }

  removeCaCertificateListener(_listener: CaListener): void {
    // Nothing is ever sent to these listeners.
  }

  stop(): void {
    this.#unsubscribe();
    this.#renewal?.cancel();
  }

  #renew(): void {
    this.#renewal?.cancel();
    try {
      const { privateKey, publicKey } = newKeyPair();
      const { chain, notAfterMs } = this.#authority.issue({ publicKey, dnsNames: this.#names });
      this.#current = {
        // The root is left out: clients hold their own.
        certificate: Buffer.from(chain.slice(0, -1).join('')),
        privateKey: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      };
      const halfMs = (notAfterMs - this.#clock.nowMs()) / 2;
      this.#renewal = this.#clock.after(Math.max(halfMs, RETRY_MS), () => this.#renew());
    } catch (error) {
      this.#logger.error('serving certificate not renewed, will try again', { reason: errorText(error) });
      this.#renewal = this.#clock.after(RETRY_MS, () => this.#renew());
      return;
    }
    for (const listener of this.#listeners) listener(this.#current);
  }
}

function newKeyPair(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
