/** The virtual addresses of services and ServiceEntries: the ones their manifests name, or allocated ones. */
import type { IpAddress } from '../model/address.ts';
import { isV4 } from '../model/address.ts';
import type { ServiceObject } from '../model/manifest/kubernetes-service.ts';
import type { ManifestObject } from '../model/manifest/manifest-object.ts';
import type { ServiceEntryObject } from '../model/manifest/service-entry.ts';
import { CLUSTER_IPV4, CLUSTER_IPV6, SERVICE_ENTRY_IPV4, SERVICE_ENTRY_IPV6, VipAllocator } from './vip-allocator.ts';

const AUTO_ALLOCATE_LABEL = 'networking.istio.io/enable-autoallocate-ip';

export class ServiceVips {
  readonly #clusterV4 = new VipAllocator(CLUSTER_IPV4);
  readonly #clusterV6 = new VipAllocator(CLUSTER_IPV6);
  readonly #entryV4 = new VipAllocator(SERVICE_ENTRY_IPV4);
  readonly #entryV6 = new VipAllocator(SERVICE_ENTRY_IPV6);

  /**
   * Keeps the claims on addresses up to date with an object that changed.
   * @returns keys of objects that lost an allocated address and must be built again
   */
  note(key: string, before: ManifestObject | undefined, after: ManifestObject | undefined): string[] {
    for (const address of namedAddresses(before)) for (const pool of this.#pools()) pool.unclaim(address, key);
    const losers: string[] = [];
    for (const address of namedAddresses(after)) {
      for (const pool of this.#pools()) {
        const loser = pool.claim(address, key);
        if (loser !== undefined) losers.push(objectOfOwner(loser));
      }
    }
    for (const owner of ownersOf(key, before)) {
      if (after === undefined || !ownersOf(key, after).includes(owner)) {
        for (const pool of this.#pools()) pool.release(owner);
      }
    }
    return losers;
  }

  /** The addresses of a service; none for a headless one. */
  ofService(key: string, service: ServiceObject): IpAddress[] {
    if (service.headless || service.type === 'ExternalName') return [];
    if (service.clusterIps.length > 0) return [...service.clusterIps];
    const [first = 'IPv4'] = service.families;
    const both = service.dualStackWanted;
    const v4 = both || first === 'IPv4' ? this.#clusterV4.allocate(key) : undefined;
    const v6 = both || first === 'IPv6' ? this.#clusterV6.allocate(key) : undefined;
    return (first === 'IPv6' ? [v6, v4] : [v4, v6]).filter((address) => address !== undefined);
  }

  /** The addresses of one host of a ServiceEntry (facts l7-and-control 6.2). */
  ofServiceEntry(key: string, entry: ServiceEntryObject, host: string): IpAddress[] {
    if (entry.addresses.length + entry.cidrs.length > 0) return [...entry.addresses];
    const allocated = entry.allocated.get(host);
    if (allocated !== undefined) return [...allocated];
    if (entry.resolution === 'NONE' || entry.meta.labels.get(AUTO_ALLOCATE_LABEL) === 'false') return [];
    if (host.startsWith('*') && entry.resolution !== 'DYNAMIC_DNS') return [];
    const owner = ownerOfHost(key, host);
    return [this.#entryV4.allocate(owner), this.#entryV6.allocate(owner)].filter((address) => address !== undefined);
  }

  #pools(): readonly VipAllocator[] {
    return [this.#clusterV4, this.#clusterV6, this.#entryV4, this.#entryV6];
  }
}

/** Which families a set of virtual addresses has. */
export function familiesOf(addresses: readonly IpAddress[]): 'IPv4' | 'IPv6' | 'Dual' | undefined {
  const v4 = addresses.some(isV4);
  const v6 = addresses.some((address) => !isV4(address));
  if (v4 && v6) return 'Dual';
  if (v4) return 'IPv4';
  return v6 ? 'IPv6' : undefined;
}

function namedAddresses(object: ManifestObject | undefined): readonly IpAddress[] {
  if (object?.kind === 'Service') return object.clusterIps;
  if (object?.kind !== 'ServiceEntry') return [];
  return [...object.addresses, ...[...object.allocated.values()].flat()];
}

function ownersOf(key: string, object: ManifestObject | undefined): string[] {
  if (object?.kind === 'Service') return object.clusterIps.length === 0 && !object.headless ? [key] : [];
  if (object?.kind === 'ServiceEntry') return object.hosts.map((host) => ownerOfHost(key, host));
  return [];
}

function ownerOfHost(key: string, host: string): string {
  return `${key} ${host}`;
}

function objectOfOwner(owner: string): string {
  return owner.split(' ', 1)[0] ?? owner;
}
