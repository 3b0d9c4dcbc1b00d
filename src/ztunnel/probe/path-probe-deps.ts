/** What a probe takes of the proxy that it is of. */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Result } from '../../base/result.ts';
import type { ProxyError } from '../../hbone/proxy-error.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import type { SpiffeId } from '../../model/spiffe.ts';
import type { WorkloadCertificate } from '../../pki/workload-certificate.ts';
import type { ZtunnelConfig } from '../config.ts';

export interface PathProbeDeps {
  readonly config: ZtunnelConfig;
  readonly state: MeshState;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  certificate(identity: SpiffeId): Promise<Result<WorkloadCertificate, ProxyError>>;
}
