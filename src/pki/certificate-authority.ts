/**
 * The mesh's certificate authority: issues leafs from the files of a directory and follows changes of these files.
 *
 * Invariants:
 * - A leaf never outlives the certificates above it.
 * - Files that do not validate never replace an authority that works; the reason is logged and kept in `problem`.
 * - The last entry of every chain is the bundle of all trusted roots (facts ztunnel-wire 10.1).
 */
import { createHash, type KeyObject } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type CaMaterial, loadCaFiles } from './ca-files.ts';
import { CLOCK_SKEW_MS, issueLeaf } from './certificate-signing.ts';
import { formatPem } from './pem.ts';

export interface CertificateAuthorityOptions {
  /** Directory in the `cacerts` layout. */
  readonly directory: string;
  /** Lifetime of leafs when the request names none. Default 24 h. */
  readonly defaultTtlMs?: number;
  /** Longest lifetime of leafs. Default 90 days. */
  readonly maxTtlMs?: number;
  /** How often the files are looked at where the kernel reports no change. Default 10 s. */
  readonly rescanMs?: number;
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
const DEFAULT_RESCAN_MS = 10_000;
/** Files of one update follow each other closely; one read sees them all. */
const SETTLE_MS = 50;

/** Issues certificates. Open it with `openCertificateAuthority`; `stop` ends the watch. */
export class CertificateAuthority {
  readonly #options: CertificateAuthorityOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  #material: CaMaterial;
  #problem: string | undefined;
  #watcher: FSWatcher | undefined;
  #rescan: Timer | undefined;
  #settle: Timer | undefined;
  #stopped = false;

  constructor(options: CertificateAuthorityOptions, deps: CertificateAuthorityDeps, material: CaMaterial) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#material = material;
  }

  /** Every trusted root, as PEM. */
  get rootsPem(): string {
    return this.#material.roots.map((root) => root.pem).join('');
  }

  /** Why the newest files are not in use; undefined when they are. */
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

  /** Calls `listener` after the files changed and the new ones are in use. @returns ends the subscription */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Follows the files from now on. */
  watch(): void {
    try {
      this.#watcher = watch(this.#options.directory, { persistent: false }, () => this.#reloadSoon());
      this.#watcher.on('error', (error) => this.#logger.warn('watch on CA files ended', { reason: errorText(error) }));
    } catch (error) {
      this.#logger.warn('CA files are polled, the kernel cannot watch them', { reason: errorText(error) });
    }
    this.#rescanLater();
  }

  /** Reads the files now. Resolves when they are in use or refused. */
  async reload(): Promise<void> {
    try {
      const material = await loadCaFiles(this.#options.directory, this.#clock.nowMs());
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
    this.#watcher?.close();
    this.#rescan?.cancel();
    this.#settle?.cancel();
  }

  #reloadSoon(): void {
    this.#settle ??= this.#clock.after(SETTLE_MS, () => {
      this.#settle = undefined;
      void this.reload();
    });
  }

  #rescanLater(): void {
    if (this.#stopped) return;
    this.#rescan = this.#clock.after(this.#options.rescanMs ?? DEFAULT_RESCAN_MS, () => {
      void this.reload().finally(() => this.#rescanLater());
    });
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
export async function openCertificateAuthority(
  options: CertificateAuthorityOptions,
  deps: CertificateAuthorityDeps,
): Promise<CertificateAuthority> {
  const material = await loadCaFiles(options.directory, deps.clock.nowMs());
  return new CertificateAuthority(options, deps, material);
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
