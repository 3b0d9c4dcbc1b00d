/** A workload: one endpoint of the mesh, usually a pod (facts ztunnel-wire 5.5). */
import type { IpAddress } from './address.ts';
import type { GatewayAddress } from './gateway-address.ts';
import { type SpiffeId, spiffeId } from './spiffe.ts';

/** How the workload is reached: through a mutual TLS tunnel, or by plain TCP. */
export type TunnelProtocol = 'HBONE' | 'TCP';
export type HealthStatus = 'Healthy' | 'Unhealthy';
export type WorkloadType = 'deployment' | 'cronjob' | 'pod' | 'job';
export type NetworkMode = 'Standard' | 'HostNetwork';

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** Service port to target port. In a service a target of 0 means that each endpoint names its own (a named port). */
export type PortMap = ReadonlyMap<number, number>;

/** A protocol that the proxy speaks to the workload's application in front of the bytes; `port` replaces the target. */
export interface ApplicationTunnel {
  readonly protocol: 'NONE' | 'PROXY';
  readonly port: number | undefined;
}

export interface Workload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly IpAddress[];
  readonly network: string;
  readonly protocol: TunnelProtocol;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly waypoint: GatewayAddress | undefined;
  readonly networkGateway: GatewayAddress | undefined;
  readonly node: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly workloadType: WorkloadType;
  readonly workloadName: string;
  readonly nativeTunnel: boolean;
  readonly applicationTunnel: ApplicationTunnel | undefined;
  /** Keys `<namespace>/<name>` of the policies that select this workload. */
  readonly authorizationPolicies: readonly string[];
  readonly status: HealthStatus;
  readonly clusterId: string;
  readonly locality: Locality;
  /** By service key `<namespace>/<hostname>`. */
  readonly services: ReadonlyMap<string, PortMap>;
  readonly hostname: string;
  readonly networkMode: NetworkMode;
  /** Weight in load balancing; 0 is never picked. */
  readonly capacity: number;
}

export const NO_LOCALITY: Locality = { region: '', zone: '', subzone: '' };

/** A workload with the feed's defaults in every field that is not given. */
export function createWorkload(fields: Partial<Workload> & Pick<Workload, 'uid'>): Workload {
  return {
    name: '',
    namespace: '',
    addresses: [],
    network: '',
    protocol: 'TCP',
    trustDomain: 'cluster.local',
    serviceAccount: 'default',
    waypoint: undefined,
    networkGateway: undefined,
    node: '',
    canonicalName: '',
    canonicalRevision: '',
    workloadType: 'pod',
    workloadName: '',
    nativeTunnel: false,
    applicationTunnel: undefined,
    authorizationPolicies: [],
    status: 'Healthy',
    clusterId: 'Kubernetes',
    locality: NO_LOCALITY,
    services: new Map(),
    hostname: '',
    networkMode: 'Standard',
    capacity: 1,
    ...fields,
  };
}

/** The identity under which the workload calls and is called. */
export function workloadIdentity(workload: Workload): SpiffeId {
  return spiffeId(workload);
}
