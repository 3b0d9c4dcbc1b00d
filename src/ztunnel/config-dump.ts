/** The answer of `/config_dump`: the keys and shapes that `istioctl ztunnel-config` reads (facts ztunnel-wire 11.4). */
import { X509Certificate } from 'node:crypto';
import type { CertificateState } from '../hbone/certificate-manager.ts';
import type { Endpoint, MeshState } from '../mesh/mesh-state.ts';
import { formatCidr } from '../model/address.ts';
import { formatGatewayDestination, type GatewayAddress, networkAddressKey } from '../model/gateway-address.ts';
import type { AuthorizationPolicy, PolicyMatch, StringMatch } from '../model/policy.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { PortMap, Workload } from '../model/workload.ts';
import type { ZtunnelConfig } from './config.ts';
import type { ConnectionSummary } from './data/connection-tracker.ts';
import type { PodSummary } from './pod-manager.ts';

export interface ConfigDumpInput {
  readonly state: MeshState;
  readonly config: ZtunnelConfig;
  readonly version: Readonly<Record<string, string>>;
  readonly certificates: Iterable<readonly [identity: string, state: CertificateState]>;
  readonly pods: Iterable<PodSummary>;
  readonly connections: ReadonlyMap<string, readonly ConnectionSummary[]>;
}

/** The whole dump as a JSON value. Secrets are masked. */
export function configDump(input: ConfigDumpInput): unknown {
  const { state, config, version, certificates, pods, connections } = input;
  return {
    certificates: [...certificates].map(([identity, entry]) => certificateDump(identity, entry)),
    config: { ...config, authToken: '<redacted>', ...mapsAsObjects(config) },
    policies: [...state.policies()].map(policyDump),
    services: [...state.services()].map((service) => serviceDump(service, state.endpoints(serviceKey(service)))),
    stagedServices: Object.fromEntries(
      [...state.stagedEndpoints()].map(([key, endpoints]) => [key, endpointsDump(endpoints)]),
    ),
    staticConfig: { policies: [], services: [], workloads: [] },
    version,
    workloads: [...state.workloads()].map(workloadDump),
    workloadState: Object.fromEntries(
      [...pods].map(({ uid, state: podState, info }) => [uid, podDump(podState, info, connections.get(uid) ?? [])]),
    ),
  };
}

function mapsAsObjects(config: ZtunnelConfig): Record<string, unknown> {
  const entries = Object.entries(config).filter(([, value]) => value instanceof Map);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key.endsWith('Headers') ? '<redacted>' : Object.fromEntries(value)]),
  );
}

function podDump(state: PodSummary['state'], info: PodSummary['info'], connections: readonly ConnectionSummary[]) {
  const of = (direction: ConnectionSummary['direction']) =>
    connections
      .filter((connection) => connection.direction === direction)
      .map(({ src, originalDst, actualDst, protocol }) => ({ src, originalDst, actualDst, protocol }));
  return { state, connections: { inbound: of('inbound'), outbound: of('outbound') }, info };
}

function workloadDump(workload: Workload): unknown {
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

function serviceDump(service: Service, endpoints: ReadonlyMap<string, Endpoint>): unknown {
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

function endpointsDump(endpoints: ReadonlyMap<string, Endpoint>): unknown {
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

function policyDump(policy: AuthorizationPolicy): unknown {
  return { ...policy, rules: policy.rules.map((rule) => rule.map((clause) => clause.map(matchDump))) };
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

function certificateDump(identity: string, entry: CertificateState): unknown {
  switch (entry.kind) {
    case 'Available': {
      const { chainPem, rootsPem } = entry.certificate;
      return { identity, state: 'Available', certChain: chainPem.map(pemDump), rootCerts: rootsPem.map(pemDump) };
    }
    case 'Unavailable':
      return { identity, state: `Unavailable: ${entry.error}`, certChain: [], rootCerts: [] };
    case 'Initializing':
      return { identity, state: 'Initializing', certChain: [], rootCerts: [] };
  }
}

function pemDump(pem: string): unknown {
  const certificate = new X509Certificate(pem);
  return {
    pem: Buffer.from(pem).toString('base64'),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    validFrom: isoSeconds(certificate.validFromDate),
    expirationTime: isoSeconds(certificate.validToDate),
  };
}

function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
