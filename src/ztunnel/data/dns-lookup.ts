/**
 * What a name means to a pod (facts ztunnel-wire 12). Every candidate name costs one hash lookup per label: services are
 * never scanned.
 */
import { expandName, type NameCandidate, wildcardsOf } from '../../dns/name-expansion.ts';
import { isVisible, preferredService } from '../../mesh/find-service.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { type IpAddress, isV4 } from '../../model/address.ts';
import { allowsFamily, type Service, serviceKey } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';

export interface DnsLookupOptions {
  /** Lower case. */
  readonly clusterDomain: string;
  readonly preferredNamespace: string | undefined;
}

/** A name that the mesh knows. */
export interface MeshName {
  readonly service: Service;
  /** The name that a search domain was taken off, for the CNAME; undefined when the answer carries the name asked. */
  readonly alias: string | undefined;
}

/** The parts of a client's record that decide. */
export type DnsClient = Pick<Workload, 'namespace' | 'network'>;

/**
 * The service that a name means to a client.
 * @param name lower case, without a final dot
 */
export function lookupMeshName(
  state: MeshState,
  client: DnsClient,
  name: string,
  options: DnsLookupOptions,
): MeshName | undefined {
  for (const candidate of expandName(name, client.namespace, options.clusterDomain)) {
    const exact = serviceOf(state, client, candidate.name, options);
    if (exact !== undefined) return { service: exact, alias: aliasOf(candidate) };
    for (const wildcard of wildcardsOf(candidate.name)) {
      const service = serviceOf(state, client, wildcard, options);
      if (service !== undefined) return { service, alias: undefined };
    }
  }
  return undefined;
}

/** The addresses of a service for a client in one family: its own, or without any those of its endpoints. */
export function meshAddresses(
  state: MeshState,
  client: DnsClient,
  service: Service,
  family: 'v4' | 'v6',
): readonly IpAddress[] {
  const wanted = (ip: IpAddress) => isV4(ip) === (family === 'v4') && allowsFamily(service.ipFamilies, ip);
  if (service.vips.length > 0) {
    return service.vips.flatMap(({ network, address }) =>
      network === client.network && wanted(address) ? address : [],
    );
  }
  const addresses = new Set<IpAddress>();
  for (const { workload } of state.endpoints(serviceKey(service)).values()) {
    // The addresses of another network mean other machines, or none, in the client's.
    if (workload.network !== client.network) continue;
    for (const ip of workload.addresses) if (wanted(ip)) addresses.add(ip);
  }
  return [...addresses];
}

function serviceOf(
  state: MeshState,
  client: DnsClient,
  hostname: string,
  { clusterDomain, preferredNamespace }: DnsLookupOptions,
): Service | undefined {
  const owners = state.servicesByHostname(hostname);
  if (owners.length === 0) return undefined;
  const answerable = owners.filter(
    (service) => isVisible(service, client.namespace) && hasAddresses(service, client.network, clusterDomain),
  );
  return preferredService(answerable, client.namespace, preferredNamespace);
}

/** A service of another network only, or without addresses, is answered by whoever else knows the name. */
function hasAddresses(service: Service, network: string, clusterDomain: string): boolean {
  if (service.vips.length === 0) return service.hostname.endsWith(`.svc.${clusterDomain}`);
  return service.vips.some((vip) => vip.network === network);
}

function aliasOf({ name, stripped }: NameCandidate): string | undefined {
  return stripped ? name : undefined;
}
