/** What the parts of one pod's proxy share. */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Revocations } from '../../hbone/revocations.ts';
import type { TlsStore } from '../../hbone/tls-store.ts';
import type { BlockPool } from '../../http2/block-pool.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import type { DefaultDenials } from '../../model/policy-tally.ts';
import type { HostnameResolver } from '../../net/hostname-resolver.ts';
import type { TraceIds } from '../../telemetry/trace-ids.ts';
import type { ZtunnelConfig } from '../config.ts';
import type { DestinationResolver } from '../resolve-destination.ts';
import type { ConnectionMetrics } from './connection-metrics.ts';
import type { ConnectionTracker } from './connection-tracker.ts';
import type { DnsMetrics } from './dns-metrics.ts';
import type { Nameservers } from './dns-nameservers.ts';
import type { DnsNetwork } from './dns-network.ts';
import type { LocalWorkload } from './local-workload.ts';
import type { OnDemandDnsMetrics } from './on-demand-dns-metrics.ts';
import type { OnDemandLookups } from './on-demand-lookups.ts';
import type { PodNetwork } from './pod-network.ts';

/** What the DNS proxies of all pods share. */
export interface DnsContext {
  /** The scope `dns`. */
  readonly logger: Logger;
  readonly metrics: DnsMetrics;
  readonly nameservers: Nameservers;
  /** Unpredictable numbers from 0 to 65535. */
  readonly randomId: () => number;
}

/** Shared by all pods of a data thread. */
export interface ThreadContext {
  readonly config: ZtunnelConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly accessLog: Logger;
  readonly state: MeshState;
  readonly resolver: DestinationResolver;
  /** Undefined when the feed brings everything unasked. */
  readonly onDemand: OnDemandLookups | undefined;
  readonly hostnames: HostnameResolver;
  readonly tls: TlsStore;
  /** Undefined without CRL_PATH. */
  readonly revocations: Revocations | undefined;
  readonly metrics: ConnectionMetrics;
  readonly traceIds: TraceIds;
  readonly defaultDenials: DefaultDenials;
  readonly tracker: ConnectionTracker;
  readonly onDemandDns: OnDemandDnsMetrics;
  readonly dns: DnsContext;
  readonly blocks: BlockPool;
  /** The one buffer that plaintext sockets read into. */
  readonly intakeBuffer: Uint8Array;
}

/** Of one pod. */
export interface PodContext extends ThreadContext {
  readonly podUid: string;
  readonly network: PodNetwork;
  readonly dnsNetwork: DnsNetwork;
  /** The ports that tunnels may reach; undefined: all of the pod's that are not the proxy's own. */
  readonly servedPorts: readonly number[] | undefined;
  /** The pod's own workload in the feed. */
  readonly local: LocalWorkload;
}

/** How long a connection waits for its own workload to appear in the feed (facts ztunnel-wire 6.1 step 2). */
export const WORKLOAD_WAIT_MS = 5000;

/** The name of a workload in errors before it is known. */
export function workloadText(info: { namespace: string; name: string; serviceAccount: string }): string {
  return `${info.namespace}/${info.name} (${info.serviceAccount})`;
}
