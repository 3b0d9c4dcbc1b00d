/** Revoked peers in a data thread: asked at each handshake, and of every open tunnel when the list changes. */
import type { X509Certificate } from 'node:crypto';
import { type MetricFamily, renderLabels } from '../telemetry/exposition.ts';
import { type RevocationKey, revocationKeys } from '../tls/revocation-list.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

/** Which side of a connection this proxy is on. */
export type Reporter = 'source' | 'destination';

interface WatchedTunnel {
  readonly keys: readonly RevocationKey[];
  readonly reporter: Reporter;
  close(): void;
}

/** `connection closed: peer certificate revoked by CRL`. */
export function peerRevoked(): ProxyError {
  return proxyError('CERTIFICATE_REVOKED', 'connection closed: peer certificate revoked by CRL');
}

export class Revocations {
  #revoked: ReadonlySet<RevocationKey> = new Set();
  readonly #tunnels = new Set<WatchedTunnel>();
  readonly #rejections: Record<Reporter, number> = { source: 0, destination: 0 };
  readonly #untracked: Record<Reporter, number> = { source: 0, destination: 0 };

  /** Puts a list in force, for handshakes from now on. */
  replace(keys: readonly RevocationKey[]): void {
    this.#revoked = new Set(keys);
  }

  /** Whether the list has one of these. */
  has(keys: readonly RevocationKey[]): boolean {
    return this.#revoked.size > 0 && keys.some((key) => this.#revoked.has(key));
  }

  /** Whether a peer of a handshake is to be refused; refusals are counted. */
  refuses(certificate: X509Certificate, reporter: Reporter): boolean {
    if (this.#revoked.size === 0 || !this.has(revocationKeys(certificate))) return false;
    this.#rejections[reporter]++;
    return true;
  }

  /**
   * Remembers an open tunnel. One whose certificates cannot be read as a list names them is let be, and counted.
   * @returns the keys of its peer, for the connections inside, and what to call when it ended
   */
  watch(
    certificate: X509Certificate,
    reporter: Reporter,
    close: () => void,
  ): { readonly keys: readonly RevocationKey[]; readonly unwatch: () => void } {
    const tunnel = { keys: revocationKeys(certificate), reporter, close };
    if (tunnel.keys.length === 0) this.#untracked[reporter]++;
    this.#tunnels.add(tunnel);
    return { keys: tunnel.keys, unwatch: () => void this.#tunnels.delete(tunnel) };
  }

  /** Closes the tunnels whose peer is on the list now. */
  closeRevoked(): void {
    for (const tunnel of [...this.#tunnels]) {
      if (!this.has(tunnel.keys)) continue;
      this.#rejections[tunnel.reporter]++;
      tunnel.close();
    }
  }

  families(): MetricFamily[] {
    return [
      family(
        'istio_crl_policy_rejections',
        'The total number of connections rejected because of a revoked certificate (unstable).',
        this.#rejections,
      ),
      family(
        'istio_crl_untracked_connections',
        'The total number of connections that a later revocation cannot end, because the certificate is unreadable (unstable).',
        this.#untracked,
      ),
    ];
  }
}

function family(name: string, help: string, counts: Readonly<Record<Reporter, number>>): MetricFamily {
  const samples = Object.entries(counts).filter(([, value]) => value > 0);
  return {
    name,
    help,
    type: 'counter',
    samples: samples.map(([reporter, value]) => ({ labels: renderLabels([['reporter', reporter]]), value })),
  };
}
