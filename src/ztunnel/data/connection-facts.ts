/** What metrics and access log are told of a connection (facts ztunnel-wire 11.1, 11.2). */
import type { Service } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';
import type { PeerLabels } from '../../telemetry/traffic-labels.ts';

/** What is known of a connection when its route is. */
export interface ConnectionFacts {
  readonly direction: 'inbound' | 'outbound';
  /** `ip:port` of the client. */
  readonly sourceAddress: string;
  readonly source: Workload | undefined;
  /** What the peer's baggage claims, used when the source is none of the feed. */
  readonly sourceBaggage?: PeerLabels | undefined;
  readonly sourceIdentity: string | undefined;
  /** `ip:port` that was dialled or accepted on. */
  readonly destinationAddress: string;
  /** The `:authority` of the tunnel. */
  readonly hboneAddress: string | undefined;
  readonly destination: Workload | undefined;
  readonly service: Pick<Service, 'name' | 'namespace' | 'hostname'> | undefined;
  readonly destinationIdentity: string | undefined;
}
