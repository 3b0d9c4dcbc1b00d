/** A service: a name and virtual addresses in front of workloads (facts ztunnel-wire 5.5). */
import type { Cidr, IpAddress } from './address.ts';
import type { GatewayAddress, NetworkAddress } from './gateway-address.ts';
import type { PortMap } from './workload.ts';

export type LoadBalancingScope = 'Region' | 'Zone' | 'Subzone' | 'Node' | 'Cluster' | 'Network';
export type LoadBalancingMode = 'Standard' | 'Strict' | 'Failover' | 'Passthrough';
export type HealthPolicy = 'OnlyHealthy' | 'AllowAll';
export type IpFamilies = 'IPv4' | 'IPv6' | 'Dual';

export interface LoadBalancing {
  readonly routingPreferences: readonly LoadBalancingScope[];
  readonly mode: LoadBalancingMode;
  readonly healthPolicy: HealthPolicy;
}

export interface CidrVip {
  readonly network: string;
  readonly cidr: Cidr;
}

export interface WeightedWaypoint {
  readonly destination: GatewayAddress;
  readonly weight: number;
}

/** What clients of a port speak, where its service says so. */
export type AppProtocol = 'http1' | 'http2' | 'tcp' | 'tls';

export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly vips: readonly NetworkAddress[];
  readonly cidrVips: readonly CidrVip[];
  readonly ports: PortMap;
  /** Of ports that say it; undefined when none does. */
  readonly appProtocols?: ReadonlyMap<number, AppProtocol> | undefined;
  readonly subjectAltNames: readonly string[];
  readonly waypoint: GatewayAddress | undefined;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly loadBalancer: LoadBalancing | undefined;
  /** Undefined: both families, whatever the endpoints have. */
  readonly ipFamilies: IpFamilies | undefined;
  /** A real Kubernetes Service, which wins over a ServiceEntry of the same hostname. */
  readonly canonical: boolean;
  readonly visibility: 'Public' | 'Namespace';
}

/** A service with the feed's defaults in every field that is not given. */
export function createService(fields: Partial<Service> & Pick<Service, 'namespace' | 'hostname'>): Service {
  return {
    name: '',
    vips: [],
    cidrVips: [],
    ports: new Map(),
    subjectAltNames: [],
    waypoint: undefined,
    weightedWaypoints: [],
    loadBalancer: undefined,
    ipFamilies: undefined,
    canonical: false,
    visibility: 'Public',
    ...fields,
  };
}

/** The key of a service in the feed, `<namespace>/<hostname>`. */
export function serviceKey(service: Pick<Service, 'namespace' | 'hostname'>): string {
  return `${service.namespace}/${service.hostname}`;
}

/** Whether an address of this family may be used for the service. */
export function allowsFamily(families: IpFamilies | undefined, ip: IpAddress): boolean {
  if (families === undefined || families === 'Dual') return true;
  return (families === 'IPv6') === ip.includes(':');
}
