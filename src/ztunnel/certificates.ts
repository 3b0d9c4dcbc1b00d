/** The certificates of the workloads that this proxy serves: where they come from, which are kept, who gets them. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Result } from '../base/result.ts';
import { CertificateManager, type CertificateState } from '../hbone/certificate-manager.ts';
import { FakeCertificateSource, noCertificateSource } from '../hbone/fake-certificate-source.ts';
import type { ProxyError } from '../hbone/proxy-error.ts';
import type { StateChange } from '../mesh/mesh-state.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import type { Workload } from '../model/workload.ts';
import type { WorkloadCertificate } from '../pki/workload-certificate.ts';
import { CaClient, type CertificateSource } from '../xds/client/ca-client.ts';
import type { ZtunnelConfig } from './config.ts';
import { CertificatePrefetch } from './prefetch.ts';
import type { CertificateAnswer, ControlMessage } from './thread-messages.ts';

export interface CertificatesDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** In place of what the configuration says. */
  readonly source: CertificateSource | undefined;
  /** Tells all data threads. */
  broadcast(message: Extract<ControlMessage, { type: 'certificate' | 'forget-certificate' }>): void;
}

export class Certificates {
  readonly #deps: CertificatesDeps;
  readonly #manager: CertificateManager;
  readonly #prefetch: CertificatePrefetch;

  constructor(config: ZtunnelConfig, deps: CertificatesDeps) {
    this.#deps = deps;
    const { clock, random, logger, broadcast } = deps;
    this.#manager = new CertificateManager({
      source: deps.source ?? configuredSource(config, clock),
      clock,
      random,
      logger: logger.scope('identity'),
      onCertificate: (certificate) => this.#tell(certificate.identity, { kind: 'certificate', certificate }),
      onDropped: (identity) => broadcast({ type: 'forget-certificate', identity }),
    });
    this.#prefetch = new CertificatePrefetch((workload) => isServedBy(config, workload), this.#manager);
  }

  /** Follows the feed. */
  apply(changes: readonly StateChange[]): void {
    this.#prefetch.apply(changes);
  }

  /** Tells the data threads the certificate that one of them waits for, or why there is none. */
  async answer(identity: SpiffeId): Promise<void> {
    const result = await this.#manager.fetch(identity);
    if (result.ok) return this.#tell(identity, { kind: 'certificate', certificate: result.value });
    const { code, message } = result.error;
    this.#tell(identity, { kind: 'error', code, message });
  }

  /** The certificate of an identity, or why there is none. */
  fetch(identity: SpiffeId): Promise<Result<WorkloadCertificate, ProxyError>> {
    return this.#manager.fetch(identity);
  }

  /** Asks again for what could not be had: the control plane is back. */
  retry(): void {
    this.#manager.retry();
  }

  /** Every identity with its state. */
  states(): IterableIterator<[SpiffeId, CertificateState]> {
    return this.#manager.states();
  }

  stop(): void {
    this.#manager.stop();
  }

  #tell(identity: SpiffeId, answer: CertificateAnswer): void {
    this.#deps.broadcast({ type: 'certificate', identity, answer });
  }
}

/** Pods of the node in shared mode, the one workload in dedicated mode. */
function isServedBy({ mode, nodeName, dedicatedWorkload }: ZtunnelConfig, workload: Workload): boolean {
  if (mode === 'shared') return workload.node === nodeName;
  return (
    workload.name === dedicatedWorkload?.name &&
    workload.namespace === dedicatedWorkload.namespace &&
    workload.serviceAccount === dedicatedWorkload.serviceAccount
  );
}

function configuredSource(config: ZtunnelConfig, clock: Clock): CertificateSource {
  const { fakeCa, caAddress, caRootCa, altCaHostname, authToken, clusterId, caHeaders, secretTtlMs, mode } = config;
  if (fakeCa) return new FakeCertificateSource(secretTtlMs, clock);
  if (caAddress === '') return noCertificateSource;
  const endpoint = {
    address: caAddress,
    rootCa: caRootCa,
    altHostname: altCaHostname,
    authToken,
    clusterId,
    headers: caHeaders,
  };
  return new CaClient({ endpoint, ttlMs: secretTtlMs, impersonate: mode === 'shared' });
}
