/** Which service an address or a hostname means to a client (facts ztunnel-wire 6.1 step 3 and 6.2). */
import type { IpAddress } from '../model/address.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { MeshState } from './mesh-state.ts';

/** What an address belongs to. */
export type AddressOwner =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service };

/** The owner of an address for the waypoint decision: a workload before a VIP before a block. */
export function findAddress(
  state: MeshState,
  network: string,
  ip: IpAddress,
  clientNamespace: string,
): AddressOwner | undefined {
  const workload = state.workloadByAddress(network, ip);
  if (workload !== undefined) return { kind: 'workload', workload };
  const service = serviceByAddress(state, network, ip, clientNamespace);
  return service && { kind: 'service', service };
}

/** The service that owns the address, exactly or by a block. */
export function serviceByAddress(
  state: MeshState,
  network: string,
  ip: IpAddress,
  clientNamespace: string,
): Service | undefined {
  return (
    preferredService(state.servicesByVip(network, ip), clientNamespace) ??
    serviceByCidr(state, network, ip, clientNamespace)
  );
}

/**
 * The service to use when several share an address or a hostname: that of the client's namespace, then a Kubernetes
 * Service, then one of `preferredNamespace`, then the first. Services that hide from the client are passed over.
 */
export function preferredService(
  services: readonly Service[],
  clientNamespace: string,
  preferredNamespace?: string,
): Service | undefined {
  if (services.length === 0) return undefined;
  const visible = services.filter((service) => isVisible(service, clientNamespace));
  return (
    visible.find((service) => service.namespace === clientNamespace) ??
    visible.find((service) => service.canonical) ??
    visible.find((service) => service.namespace === preferredNamespace) ??
    visible[0]
  );
}

/** Whether clients of the namespace may know the service. */
export function isVisible(service: Service, clientNamespace: string): boolean {
  return service.visibility === 'Public' || service.namespace === clientNamespace;
}

function serviceByCidr(state: MeshState, network: string, ip: IpAddress, clientNamespace: string): Service | undefined {
  const owners = state
    .servicesByCidr(network, ip)
    .filter(({ service }) => isVisible(service, clientNamespace))
    .map(({ service, prefixLength }) => ({
      service,
      rank: (service.namespace === clientNamespace ? 1000 : 0) + prefixLength * 2 + (service.canonical ? 1 : 0),
    }));
  return owners.sort((a, b) => b.rank - a.rank)[0]?.service;
}
