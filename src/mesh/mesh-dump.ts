/** Workloads, services and policies as configuration dumps show them (facts ztunnel-wire 11.4). */
import { formatCidr } from '../model/address.ts';
import { formatGatewayDestination, type GatewayAddress, networkAddressKey } from '../model/gateway-address.ts';
import type { AuthorizationPolicy, PolicyMatch, StringMatch } from '../model/policy.ts';
import type { Service } from '../model/service.ts';
import type { PortMap, Workload } from '../model/workload.ts';
import type { Endpoint } from './mesh-state.ts';

/** A workload. */
export function workloadDump(workload: Workload): unknown {
  const { addresses, protocol, waypoint, networkGateway, services, workloadType, applicationTunnel, ...rest } =
    workload;
  return dropEmpty({
    ...rest,
    workloadIps: addresses,
    protocol,
    workloadType,
    waypoint: waypoint && gatewayDump(waypoint),
    networkGateway: networkGateway && gatewayDump(networkGateway),
    applicationTunnel,
    services: Object.fromEntries([...services].map(([key, ports]) => [key, portsDump(ports)])),
  });
}

/** A service, and its endpoints by uid. */
export function serviceDump(service: Service, endpoints: ReadonlyMap<string, Endpoint>): unknown {
  const { vips, cidrVips, ports, waypoint, weightedWaypoints, ...rest } = service;
  const optional = dropEmpty({
    ...rest,
    cidrVips: cidrVips.map(({ network, cidr }) => ({ network, cidr: formatCidr(cidr) })),
    waypoint: waypoint && gatewayDump(waypoint),
    weightedWaypoints: weightedWaypoints.map(({ destination, weight }) => ({
      destination: gatewayDump(destination),
      weight,
    })),
  });
  return {
    ...optional,
    canonical: service.canonical,
    vips: vips.map((vip) => networkAddressKey(vip.network, vip.address)),
    ports: portsDump(ports),
    endpoints: endpointsDump(endpoints),
    subjectAltNames: service.subjectAltNames,
  };
}

/** Endpoints by uid. */
export function endpointsDump(endpoints: ReadonlyMap<string, Endpoint>): unknown {
  return Object.fromEntries(
    [...endpoints].map(([uid, { workload, ports }]) => [
      uid,
      { workloadUid: uid, port: portsDump(ports), status: workload.status },
    ]),
  );
}

function portsDump(ports: PortMap): unknown {
  return Object.fromEntries([...ports].map(([port, target]) => [String(port), target]));
}

function gatewayDump(gateway: GatewayAddress): unknown {
  return { destination: formatGatewayDestination(gateway), hboneMtlsPort: gateway.hboneMtlsPort };
}

/** A policy of ztunnel. */
export function policyDump(policy: AuthorizationPolicy): unknown {
  const { name, namespace, scope, action, dryRun } = policy;
  return {
    name,
    namespace,
    scope,
    action,
    dryRun,
    rules: policy.rules.map((rule) => rule.map((clause) => clause.map(matchDump))),
  };
}

function matchDump(match: PolicyMatch): unknown {
  const texts = (list: readonly StringMatch[]) => list.map(stringMatchDump);
  return dropEmpty({
    ...match,
    namespaces: texts(match.namespaces),
    notNamespaces: texts(match.notNamespaces),
    principals: texts(match.principals),
    notPrincipals: texts(match.notPrincipals),
    sourceIps: match.sourceIps.map(formatCidr),
    notSourceIps: match.notSourceIps.map(formatCidr),
    destinationIps: match.destinationIps.map(formatCidr),
    notDestinationIps: match.notDestinationIps.map(formatCidr),
  });
}

function stringMatchDump(match: StringMatch): unknown {
  switch (match.kind) {
    case 'exact':
      return { Exact: match.value };
    case 'prefix':
      return { Prefix: match.value };
    case 'suffix':
      return { Suffix: match.value };
    case 'presence':
      return { Presence: [] };
  }
}

/** Absent, empty and false fields are left out, as the real peers do. */
function dropEmpty(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
