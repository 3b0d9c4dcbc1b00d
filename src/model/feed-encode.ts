/**
 * The model in the words of the feed (istio.workload, istio.security). Defaults are left out the way Istio's control
 * plane leaves them out (facts ztunnel-wire 5.5, 5.8), so that a real ztunnel reads what it is used to.
 */
import {
  Action,
  type Authorization,
  type Match,
  Scope as PolicyScopeProto,
  type StringMatch as StringMatchProto,
} from '../proto/gen/authorization.ts';
import {
  ApplicationTunnel_Protocol,
  type AppProtocol,
  type GatewayAddress as GatewayAddressProto,
  IPFamilies,
  LoadBalancing_HealthPolicy,
  LoadBalancing_Mode,
  LoadBalancing_Scope,
  type LoadBalancing as LoadBalancingProto,
  type NetworkAddress as NetworkAddressProto,
  NetworkMode,
  type Port,
  type Service as ServiceProto,
  ServiceVisibility,
  TunnelProtocol,
  type Workload as WorkloadProto,
  WorkloadStatus,
  WorkloadType,
} from '../proto/gen/workload.ts';
import { type Cidr, type IpAddress, ipToBytes } from './address.ts';
import type { GatewayAddress, NetworkAddress } from './gateway-address.ts';
import type { AuthorizationPolicy, PolicyMatch, StringMatch } from './policy.ts';
import type { LoadBalancing, Service } from './service.ts';
import { DEFAULT_TRUST_DOMAIN } from './spiffe.ts';
import type { PortMap, Workload } from './workload.ts';

export const ADDRESS_TYPE_URL = 'type.googleapis.com/istio.workload.Address';
export const WORKLOAD_TYPE_URL = 'type.googleapis.com/istio.workload.Workload';
export const AUTHORIZATION_TYPE_URL = 'type.googleapis.com/istio.security.Authorization';

/** What the feed says of a service beyond the model of the L4 proxy. */
export interface ServiceHints {
  /** By service port. */
  readonly appProtocols: ReadonlyMap<number, AppProtocol>;
  /** Whether ingress gateways send this service's traffic through its waypoint. */
  readonly ingressUseWaypoint: boolean;
  /** Service ports that are declared for gRPC-Web. Only waypoints hear of them, in what they get besides addresses. */
  readonly grpcWebPorts: readonly number[];
}

export const NO_SERVICE_HINTS: ServiceHints = {
  appProtocols: new Map(),
  ingressUseWaypoint: false,
  grpcWebPorts: [],
};

const WORKLOAD_TYPES = {
  deployment: WorkloadType.DEPLOYMENT,
  cronjob: WorkloadType.CRONJOB,
  pod: WorkloadType.POD,
  job: WorkloadType.JOB,
} as const;
const SCOPES = {
  Region: LoadBalancing_Scope.REGION,
  Zone: LoadBalancing_Scope.ZONE,
  Subzone: LoadBalancing_Scope.SUBZONE,
  Node: LoadBalancing_Scope.NODE,
  Cluster: LoadBalancing_Scope.CLUSTER,
  Network: LoadBalancing_Scope.NETWORK,
} as const;
const MODES = {
  Standard: LoadBalancing_Mode.UNSPECIFIED_MODE,
  Strict: LoadBalancing_Mode.STRICT,
  Failover: LoadBalancing_Mode.FAILOVER,
  Passthrough: LoadBalancing_Mode.PASSTHROUGH,
} as const;
const FAMILIES = { IPv4: IPFamilies.IPV4_ONLY, IPv6: IPFamilies.IPV6_ONLY, Dual: IPFamilies.DUAL } as const;
const POLICY_SCOPES = {
  Global: PolicyScopeProto.GLOBAL,
  Namespace: PolicyScopeProto.NAMESPACE,
  WorkloadSelector: PolicyScopeProto.WORKLOAD_SELECTOR,
} as const;

/** A workload as the feed carries it. */
export function encodeWorkload(workload: Workload): WorkloadProto {
  const { region, zone, subzone } = workload.locality;
  const tunnel = workload.applicationTunnel;
  return {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    addresses: workload.addresses.map(addressBytes),
    network: workload.network,
    tunnelProtocol: workload.protocol === 'HBONE' ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
    trustDomain: workload.trustDomain === DEFAULT_TRUST_DOMAIN ? '' : workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    waypoint: workload.waypoint && encodeGateway(workload.waypoint),
    node: workload.node,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    workloadType: WORKLOAD_TYPES[workload.workloadType],
    workloadName: workload.workloadName,
    nativeTunnel: workload.nativeTunnel,
    authorizationPolicies: [...workload.authorizationPolicies],
    status: workload.status === 'Healthy' ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY,
    clusterId: workload.clusterId,
    networkGateway: workload.networkGateway && encodeGateway(workload.networkGateway),
    hostname: workload.hostname,
    services: new Map([...workload.services].map(([key, ports]) => [key, { ports: encodePorts(ports) }])),
    applicationTunnel: tunnel && {
      protocol: tunnel.protocol === 'PROXY' ? ApplicationTunnel_Protocol.PROXY : ApplicationTunnel_Protocol.NONE,
      port: tunnel.port ?? 0,
    },
    locality: region + zone + subzone === '' ? undefined : { region, zone, subzone },
    networkMode: workload.networkMode === 'HostNetwork' ? NetworkMode.HOST_NETWORK : NetworkMode.STANDARD,
    extensions: [],
    capacity: workload.capacity === 1 ? undefined : workload.capacity,
  };
}

/** A service as the feed carries it. */
export function encodeService(service: Service, hints: ServiceHints = NO_SERVICE_HINTS): ServiceProto {
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    addresses: [
      ...service.vips.map(encodeNetworkAddress),
      ...service.cidrVips.map(({ network, cidr }) => ({
        network,
        address: Buffer.from(cidr.bytes),
        length: cidr.prefixLength,
      })),
    ],
    ports: encodePorts(service.ports, hints.appProtocols),
    subjectAltNames: [...service.subjectAltNames],
    waypoint: service.waypoint && encodeGateway(service.waypoint),
    loadBalancing: service.loadBalancer && encodeLoadBalancing(service.loadBalancer),
    ipFamilies: service.ipFamilies === undefined ? IPFamilies.AUTOMATIC : FAMILIES[service.ipFamilies],
    extensions: [],
    canonical: service.canonical,
    ingressUseWaypoint: hints.ingressUseWaypoint,
    weightedWaypoints: service.weightedWaypoints.map(({ destination, weight }) => ({
      destination: encodeGateway(destination),
      weight,
    })),
    visibility: service.visibility === 'Namespace' ? ServiceVisibility.NAMESPACE : ServiceVisibility.PUBLIC,
  };
}

/** A policy as the feed carries it. */
export function encodeAuthorization(policy: AuthorizationPolicy): Authorization {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: POLICY_SCOPES[policy.scope],
    action: policy.action === 'Deny' ? Action.DENY : Action.ALLOW,
    rules: policy.rules.map((rule) => ({ clauses: rule.map((clause) => ({ matches: clause.map(encodeMatch) })) })),
    dryRun: policy.dryRun,
    extensions: [],
  };
}

function encodeMatch(match: PolicyMatch): Match {
  return {
    namespaces: match.namespaces.map(encodeString),
    notNamespaces: match.notNamespaces.map(encodeString),
    principals: match.principals.map(encodeString),
    notPrincipals: match.notPrincipals.map(encodeString),
    sourceIps: match.sourceIps.map(encodeCidr),
    notSourceIps: match.notSourceIps.map(encodeCidr),
    destinationIps: match.destinationIps.map(encodeCidr),
    notDestinationIps: match.notDestinationIps.map(encodeCidr),
    destinationPorts: [...match.destinationPorts],
    notDestinationPorts: [...match.notDestinationPorts],
    serviceAccounts: match.serviceAccounts.map((account) => ({ ...account })),
    notServiceAccounts: match.notServiceAccounts.map((account) => ({ ...account })),
    extensions: [],
  };
}

function encodeString(match: StringMatch): StringMatchProto {
  switch (match.kind) {
    case 'exact':
      return { matchType: { $case: 'exact', exact: match.value } };
    case 'prefix':
      return { matchType: { $case: 'prefix', prefix: match.value } };
    case 'suffix':
      return { matchType: { $case: 'suffix', suffix: match.value } };
    case 'presence':
      return { matchType: { $case: 'presence', presence: {} } };
  }
}

function encodeCidr(cidr: Cidr): { address: Buffer; length: number } {
  return { address: Buffer.from(cidr.bytes), length: cidr.prefixLength };
}

function encodeGateway(gateway: GatewayAddress): GatewayAddressProto {
  const { destination } = gateway;
  return {
    destination:
      destination.kind === 'hostname'
        ? { $case: 'hostname', hostname: { ...destination.hostname } }
        : { $case: 'address', address: encodeNetworkAddress(destination.address) },
    hboneMtlsPort: gateway.hboneMtlsPort,
  };
}

function encodeNetworkAddress({ network, address }: NetworkAddress): NetworkAddressProto {
  return { network, address: addressBytes(address) };
}

function encodeLoadBalancing(balancing: LoadBalancing): LoadBalancingProto {
  return {
    routingPreference: balancing.routingPreferences.map((scope) => SCOPES[scope]),
    mode: MODES[balancing.mode],
    healthPolicy:
      balancing.healthPolicy === 'AllowAll'
        ? LoadBalancing_HealthPolicy.ALLOW_ALL
        : LoadBalancing_HealthPolicy.ONLY_HEALTHY,
  };
}

function encodePorts(ports: PortMap, appProtocols?: ReadonlyMap<number, AppProtocol>): Port[] {
  return [...ports].map(([servicePort, targetPort]) => ({
    servicePort,
    targetPort,
    appProtocol: appProtocols?.get(servicePort) ?? 0,
  }));
}

function addressBytes(ip: IpAddress): Buffer {
  return Buffer.from(ipToBytes(ip));
}
