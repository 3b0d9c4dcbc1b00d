/**
 * TLS of the identities on this node, as a data thread uses it: contexts made once per certificate, certificates asked
 * of the control thread when they are missing.
 *
 * Invariant: an expired certificate is never used, whatever became of its renewal.
 */
import type { SecureContext } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { parseSpiffeId, type SpiffeId } from '../model/spiffe.ts';
import type { WorkloadCertificate } from '../pki/workload-certificate.ts';
import { type MeshTlsOptions, MeshTlsServer, meshSecureContext } from '../tls/mesh-tls.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';
import { type RecordMemory, recordMemory } from './record-memory.ts';

/** TLS of one identity, both directions. */
export interface WorkloadTls {
  readonly identity: SpiffeId;
  readonly context: SecureContext;
  readonly server: MeshTlsServer;
  readonly notAfterMs: number;
  /** What its tunnels share with all of the thread; undefined: node:tls reads and writes them. */
  readonly records: RecordMemory | undefined;
}

export interface TlsStoreDeps {
  readonly clock: Clock;
  readonly options: MeshTlsOptions;
  /** Asks the control thread; resolves when it has an answer. */
  fetch(identity: SpiffeId): Promise<Result<WorkloadCertificate, ProxyError>>;
}

export class TlsStore {
  readonly #deps: TlsStoreDeps;
  readonly #records: RecordMemory | undefined;
  readonly #entries = new Map<SpiffeId, WorkloadTls>();
  readonly #pending = new Map<SpiffeId, Promise<Result<WorkloadTls, ProxyError>>>();

  constructor(deps: TlsStoreDeps) {
    this.#deps = deps;
    this.#records = recordMemory(deps.options);
  }

  /** The TLS of an identity when it is at hand: the answer for all but the first connection. */
  current(identity: SpiffeId): WorkloadTls | undefined {
    const entry = this.#entries.get(identity);
    return entry !== undefined && entry.notAfterMs > this.#deps.clock.nowMs() ? entry : undefined;
  }

  /** The TLS of an identity; waits for the certificate when there is none. */
  get(identity: SpiffeId): Promise<Result<WorkloadTls, ProxyError>> {
    const entry = this.current(identity);
    if (entry !== undefined) return Promise.resolve(ok(entry));
    let pending = this.#pending.get(identity);
    if (pending === undefined) {
      pending = this.#fetch(identity).finally(() => this.#pending.delete(identity));
      this.#pending.set(identity, pending);
    }
    return pending;
  }

  /** Takes a new certificate into use for all connections from now on. */
  update(certificate: WorkloadCertificate): Result<WorkloadTls, ProxyError> {
    const { identity, notAfterMs } = certificate;
    const { options } = this.#deps;
    try {
      const context = meshSecureContext(certificate, options);
      const previous = this.#entries.get(identity);
      previous?.server.replaceCertificate(certificate);
      const trustDomain = parseSpiffeId(identity)?.trustDomain ?? '';
      const server = previous?.server ?? new MeshTlsServer(certificate, trustDomain, options);
      const entry = { identity, context, server, notAfterMs, records: this.#records };
      this.#entries.set(identity, entry);
      return ok(entry);
    } catch (error) {
      return fail(proxyError('IDENTITY', `identity error: unusable certificate for ${identity}: ${errorText(error)}`));
    }
  }

  forget(identity: SpiffeId): void {
    this.#entries.delete(identity);
  }

  async #fetch(identity: SpiffeId): Promise<Result<WorkloadTls, ProxyError>> {
    const fetched = await this.#deps.fetch(identity);
    if (!fetched.ok) return fetched;
    return this.current(identity) !== undefined ? this.get(identity) : this.update(fetched.value);
  }
}
