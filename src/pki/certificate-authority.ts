/**
 * The mesh's certificate authority: issues leafs from the material of a source and follows its changes.
 *
 * Invariants:
 * - A leaf never outlives the certificates above it.
 * - Material that does not validate never replace an authority that works; the reason is logged and kept in `problem`.
 * - The last entry of every chain is the bundle of all trusted roots (facts ztunnel-wire 10.1).
 */
import { createHash, type KeyObject } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { DirectoryCaSource } from './ca-directory.ts';
import type { CaMaterial } from './ca-files.ts';
import { CLOCK_SKEW_MS, issueLeaf } from './certificate-signing.ts';
import { formatPem } from './pem.ts';

export interface IssuingOptions {
  /** Lifetime of leafs when the request names none. Default 24 h. */
  readonly defaultTtlMs?: number;
  /** Longest lifetime of leafs. Default 90 days. */
  readonly maxTtlMs?: number;
}

export interface CertificateAuthorityOptions extends IssuingOptions {
  /** Directory in the `cacerts` layout. */
  readonly directory: string;
  /** How often the files are looked at where the kernel reports no change. Default 10 s. */
  readonly rescanMs?: number;
}

/** Where the authority's key and certificates are kept. */
export interface CaSource {
  /** Rejects with an AmbitError that says what is wrong. @param nowMs for the check of lifetimes */
  load(nowMs: number): Promise<CaMaterial>;
  /** Calls back whenever something may have changed. @returns ends it */
  watch(changed: () => void): () => void;
}

export interface CertificateAuthorityDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What to certify. */
export interface CertificateOrder {
  readonly publicKey: KeyObject;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Asked lifetime in milliseconds; 0 or less takes the default. */
  readonly ttlMs?: number;
}

export interface IssuedCertificate {
  /** PEM: leaf, then intermediates one per entry, then the bundle of roots. */
  readonly chain: readonly string[];
  readonly notAfterMs: number;
}

const DAY_MS = 86_400_000;

/** Issues certificates. Open it with `openCertificateAuthority` or `openAuthorityFrom`; `stop` ends the watch. */
export class CertificateAuthority {
  readonly #source: CaSource;
  readonly #options: IssuingOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  #material: CaMaterial;
  #problem: string | undefined;
  #unwatch: (() => void) | undefined;
  #stopped = false;

  constructor(source: CaSource, options: IssuingOptions, deps: CertificateAuthorityDeps, material: CaMaterial) {
    this.#source = source;
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#material = material;
  }

  /** Every trusted root, as PEM. */
  get rootsPem(): string {
    return this.#material.roots.map((root) => root.pem).join('');
  }

  /** Why the newest material is not in use; undefined when they are. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** When the issuing certificate ends, in milliseconds since the epoch. */
  get notAfterMs(): number {
    return this.#lastMomentMs();
  }

  /** Issues a leaf for a verified public key. The caller decides on the names. */
  issue(order: CertificateOrder): IssuedCertificate {
    const { certificate, privateKey, intermediates } = this.#material;
    const nowMs = this.#clock.nowMs();
    const notAfterMs = Math.min(nowMs + this.#ttlMs(order.ttlMs ?? 0), this.#lastMomentMs());
    const der = issueLeaf(
      { certificate, privateKey },
      {
        publicKey: order.publicKey,
        uris: order.uris ?? [],
        dnsNames: order.dnsNames ?? [],
        notBeforeMs: Math.max(nowMs - CLOCK_SKEW_MS, certificate.notBeforeMs),
        notAfterMs,
      },
    );
    const chain = [formatPem('CERTIFICATE', der), ...intermediates.map((above) => above.pem), this.rootsPem];
    return { chain, notAfterMs };
  }

  /** Calls `listener` after the material changed and the new one is in use. @returns ends the subscription */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Follows the source from now on. */
  watch(): void {
    this.#unwatch ??= this.#source.watch(() => void this.reload());
  }

  /** Reads the source now. Resolves when what it holds is in use or refused. */
  async reload(): Promise<void> {
    try {
      const material = await this.#source.load(this.#clock.nowMs());
      this.#problem = undefined;
      if (this.#stopped || fingerprint(material) === fingerprint(this.#material)) return;
      this.#material = material;
      this.#logger.info('CA files reloaded', { roots: material.roots.length, notAfter: isoTime(this.#lastMomentMs()) });
      for (const listener of this.#listeners) listener();
    } catch (error) {
      const reason = errorText(error);
      if (reason !== this.#problem) this.#logger.error('CA files refused, the former stay in use', { reason });
      this.#problem = reason;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch?.();
  }

  #ttlMs(askedMs: number): number {
    const wantedMs = askedMs > 0 ? askedMs : (this.#options.defaultTtlMs ?? DAY_MS);
    return Math.min(wantedMs, this.#options.maxTtlMs ?? 90 * DAY_MS);
  }

  #lastMomentMs(): number {
    const { certificate, intermediates } = this.#material;
    return Math.min(certificate.notAfterMs, ...intermediates.map((above) => above.notAfterMs));
  }
}

/** Loads the files of a directory. Rejects with an AmbitError that names the file and the reason. */
export function openCertificateAuthority(
  options: CertificateAuthorityOptions,
  deps: CertificateAuthorityDeps,
): Promise<CertificateAuthority> {
  return openAuthorityFrom(new DirectoryCaSource(options, deps), options, deps);
}

/** Loads what a source holds. Rejects with the source's error. */
export async function openAuthorityFrom(
  source: CaSource,
  options: IssuingOptions,
  deps: CertificateAuthorityDeps,
): Promise<CertificateAuthority> {
  return new CertificateAuthority(source, options, deps, await source.load(deps.clock.nowMs()));
}

function fingerprint(material: CaMaterial): string {
  const hash = createHash('sha256');
  for (const { der } of [material.certificate, ...material.intermediates]) hash.update(der);
  hash.update('roots');
  for (const { der } of material.roots) hash.update(der);
  return hash.digest('base64');
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
