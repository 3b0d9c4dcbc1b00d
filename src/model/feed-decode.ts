/**
 * From the bytes of the feed to the model. Every unknown enum number and every address of the wrong length refuses the
 * resource with a reason, except where the facts say otherwise (ztunnel-wire 5.5, 5.6).
 */
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import * as pb from '../proto/gen/workload.ts';
import { type Cidr, type IpAddress, ipFromBytes, makeCidr } from './address.ts';
import type { GatewayAddress, NetworkAddress } from './gateway-address.ts';
import type {
  AppProtocol,
  CidrVip,
  IpFamilies,
  LoadBalancing,
  LoadBalancingMode,
  LoadBalancingScope,
  Service,
} from './service.ts';
import { DEFAULT_TRUST_DOMAIN } from './spiffe.ts';
import { NO_LOCALITY, type PortMap, type TunnelProtocol, type Workload, type WorkloadType } from './workload.ts';

/** One decoded `istio.workload.Address`. */
export type AddressResource =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service };

/** A reason to refuse a resource; it becomes the text of the NACK. */
class Refusal extends Error {}

const TUNNEL_PROTOCOLS: Readonly<Record<number, TunnelProtocol>> = {
  [pb.TunnelProtocol.NONE]: 'TCP',
  [pb.TunnelProtocol.HBONE]: 'HBONE',
};
const WORKLOAD_TYPES: Readonly<Record<number, WorkloadType>> = {
  [pb.WorkloadType.DEPLOYMENT]: 'deployment',
  [pb.WorkloadType.CRONJOB]: 'cronjob',
  [pb.WorkloadType.POD]: 'pod',
  [pb.WorkloadType.JOB]: 'job',
};
const STATUSES: Readonly<Record<number, Workload['status']>> = {
  [pb.WorkloadStatus.HEALTHY]: 'Healthy',
  [pb.WorkloadStatus.UNHEALTHY]: 'Unhealthy',
};
const NETWORK_MODES: Readonly<Record<number, Workload['networkMode']>> = {
  [pb.NetworkMode.STANDARD]: 'Standard',
  [pb.NetworkMode.HOST_NETWORK]: 'HostNetwork',
};
const SCOPES: Readonly<Record<number, LoadBalancingScope>> = {
  [pb.LoadBalancing_Scope.REGION]: 'Region',
  [pb.LoadBalancing_Scope.ZONE]: 'Zone',
  [pb.LoadBalancing_Scope.SUBZONE]: 'Subzone',
  [pb.LoadBalancing_Scope.NODE]: 'Node',
  [pb.LoadBalancing_Scope.CLUSTER]: 'Cluster',
  [pb.LoadBalancing_Scope.NETWORK]: 'Network',
};
const MODES: Readonly<Record<number, LoadBalancingMode>> = {
  [pb.LoadBalancing_Mode.UNSPECIFIED_MODE]: 'Standard',
  [pb.LoadBalancing_Mode.STRICT]: 'Strict',
  [pb.LoadBalancing_Mode.FAILOVER]: 'Failover',
  [pb.LoadBalancing_Mode.PASSTHROUGH]: 'Passthrough',
};
const IP_FAMILIES: Readonly<Record<number, IpFamilies | 'automatic'>> = {
  [pb.IPFamilies.AUTOMATIC]: 'automatic',
  [pb.IPFamilies.IPV4_ONLY]: 'IPv4',
  [pb.IPFamilies.IPV6_ONLY]: 'IPv6',
  [pb.IPFamilies.DUAL]: 'Dual',
};

/** Decodes one `istio.workload.Address`; the error is the reason to refuse it. */
export function decodeAddress(bytes: Uint8Array): Result<AddressResource, string> {
  return refusing(() => {
    const { type } = pb.Address.decode(bytes);
    if (type?.$case === 'workload') return { kind: 'workload', workload: toWorkload(type.workload) };
    if (type?.$case === 'service') return { kind: 'service', service: toService(type.service) };
    throw new Refusal('address holds neither a workload nor a service');
  });
}

function refusing<T>(decode: () => T): Result<T, string> {
  try {
    return ok(decode());
  } catch (error) {
    return fail(error instanceof Refusal ? error.message : `cannot be decoded: ${errorText(error)}`);
  }
}

function pick<T>(table: Readonly<Record<number, T>>, value: number, what: string): T {
  const found = table[value];
  if (found === undefined) throw new Refusal(`unknown ${what}: ${value}`);
  return found;
}

function toIp(bytes: Uint8Array): IpAddress {
  const ip = ipFromBytes(bytes);
  if (ip === undefined) throw new Refusal(`address of ${bytes.length} bytes, expected 4 or 16`);
  return ip;
}

function toWorkload(message: pb.Workload): Workload {
  if (message.uid === '') throw new Refusal('workload without uid');
  return {
    uid: message.uid,
    name: message.name,
    namespace: message.namespace,
    addresses: message.addresses.map(toIp),
    network: message.network,
    protocol: pick(TUNNEL_PROTOCOLS, message.tunnelProtocol, 'tunnel protocol'),
    trustDomain: message.trustDomain || DEFAULT_TRUST_DOMAIN,
    serviceAccount: message.serviceAccount || 'default',
    waypoint: message.waypoint && toGateway(message.waypoint),
    networkGateway: message.networkGateway && toGateway(message.networkGateway),
    node: message.node,
    canonicalName: message.canonicalName,
    canonicalRevision: message.canonicalRevision,
    workloadType: pick(WORKLOAD_TYPES, message.workloadType, 'workload type'),
    workloadName: message.workloadName,
    nativeTunnel: message.nativeTunnel,
    applicationTunnel: message.applicationTunnel && toApplicationTunnel(message.applicationTunnel),
    authorizationPolicies: message.authorizationPolicies,
    status: pick(STATUSES, message.status, 'workload status'),
    clusterId: message.clusterId || 'Kubernetes',
    locality: message.locality ? { ...NO_LOCALITY, ...message.locality } : NO_LOCALITY,
    services: new Map([...message.services].map(([key, ports]) => [toServiceKey(key), toPortMap(ports.ports)])),
    hostname: message.hostname,
    networkMode: pick(NETWORK_MODES, message.networkMode, 'network mode'),
    capacity: message.capacity ?? 1,
  };
}

function toServiceKey(key: string): string {
  const parts = key.split('/');
  if (parts.length !== 2) throw new Refusal(`service key "${key}" is not <namespace>/<hostname>`);
  return key;
}

function toPortMap(ports: readonly pb.Port[]): PortMap {
  return new Map(ports.map((port) => [port.servicePort & 0xffff, port.targetPort & 0xffff]));
}

/** A protocol that is not known here is one that nobody declared: it is found out from the bytes. */
const APP_PROTOCOLS: Readonly<Record<number, AppProtocol>> = {
  [pb.AppProtocol.HTTP11]: 'http1',
  [pb.AppProtocol.HTTP2]: 'http2',
  [pb.AppProtocol.GRPC]: 'http2',
  [pb.AppProtocol.TCP]: 'tcp',
  [pb.AppProtocol.TLS]: 'tls',
};

function toAppProtocols(ports: readonly pb.Port[]): ReadonlyMap<number, AppProtocol> | undefined {
  let found: Map<number, AppProtocol> | undefined;
  for (const { servicePort, appProtocol } of ports) {
    const known = APP_PROTOCOLS[appProtocol];
    if (known === undefined) continue;
    found ??= new Map();
    found.set(servicePort & 0xffff, known);
  }
  return found;
}

function toPort(port: number, of: string): number {
  if (port > 0xffff) throw new Refusal(`${of} with port ${port}`);
  return port;
}

function toApplicationTunnel(tunnel: pb.ApplicationTunnel): NonNullable<Workload['applicationTunnel']> {
  const protocol = pick<'NONE' | 'PROXY'>({ 0: 'NONE', 1: 'PROXY' }, tunnel.protocol, 'application tunnel protocol');
  return { protocol, port: tunnel.port === 0 ? undefined : toPort(tunnel.port, 'application tunnel') };
}

function toGateway(message: pb.GatewayAddress): GatewayAddress {
  const { destination } = message;
  if (destination === undefined) throw new Refusal('gateway address without destination');
  const hboneMtlsPort = toPort(message.hboneMtlsPort, 'gateway address');
  if (destination.$case === 'hostname') {
    const { namespace, hostname } = destination.hostname;
    return {
      destination: { kind: 'hostname', hostname: { namespace, hostname } },
      hboneMtlsPort,
    };
  }
  const address: NetworkAddress = { network: destination.address.network, address: toIp(destination.address.address) };
  return { destination: { kind: 'address', address }, hboneMtlsPort };
}

function toService(message: pb.Service): Service {
  if (message.hostname === '') throw new Refusal('service without hostname');
  const families = pick(IP_FAMILIES, message.ipFamilies, 'IP families');
  const appProtocols = toAppProtocols(message.ports);
  return {
    name: message.name,
    namespace: message.namespace,
    hostname: message.hostname,
    vips: message.addresses.filter((vip) => vip.length === undefined).map(toVip),
    cidrVips: message.addresses.filter((vip) => vip.length !== undefined).map(toCidrVip),
    ports: toPortMap(message.ports),
    ...(appProtocols !== undefined && { appProtocols }),
    subjectAltNames: message.subjectAltNames,
    waypoint: message.waypoint && toGateway(message.waypoint),
    weightedWaypoints: message.weightedWaypoints.map(toWeightedWaypoint),
    loadBalancer: message.loadBalancing && toLoadBalancing(message.loadBalancing),
    ipFamilies: families === 'automatic' ? undefined : families,
    canonical: message.canonical,
    visibility: message.visibility === pb.ServiceVisibility.NAMESPACE ? 'Namespace' : 'Public',
  };
}

function toVip(address: pb.NetworkAddress): NetworkAddress {
  return { network: address.network, address: toIp(address.address) };
}

function toCidrVip(address: pb.NetworkAddress): CidrVip {
  return { network: address.network, cidr: toCidr(address.address, address.length ?? 0) };
}

function toCidr(bytes: Uint8Array, length: number): Cidr {
  const cidr = makeCidr(bytes, length);
  if (cidr === undefined) throw new Refusal(`prefix of ${length} bits on an address of ${bytes.length} bytes`);
  return cidr;
}

function toWeightedWaypoint(message: pb.WeightedWaypoint): Service['weightedWaypoints'][number] {
  if (message.destination === undefined) throw new Refusal('weighted waypoint without destination');
  return { destination: toGateway(message.destination), weight: message.weight };
}

function toLoadBalancing(message: pb.LoadBalancing): LoadBalancing {
  return {
    routingPreferences: message.routingPreference.map((scope) => pick(SCOPES, scope, 'load balancing scope')),
    mode: pick(MODES, message.mode, 'load balancing mode'),
    healthPolicy: pick<LoadBalancing['healthPolicy']>(
      { 0: 'OnlyHealthy', 1: 'AllowAll' },
      message.healthPolicy,
      'health policy',
    ),
  };
}
