/** Whether a workload is an endpoint of the waypoint that an object names. */
import { type GatewayAddress, hostnameKey } from '../model/gateway-address.ts';
import { serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { findAddress } from './find-service.ts';
import type { MeshState } from './mesh-state.ts';

/** By its Service, by a virtual address of it, or by the workload's own address. */
export function isWaypointWorkload(state: MeshState, waypoint: GatewayAddress, workload: Workload): boolean {
  const { destination } = waypoint;
  if (destination.kind === 'hostname') {
    const { namespace, hostname } = destination.hostname;
    return state.endpoints(hostnameKey(namespace, hostname)).has(workload.uid);
  }
  const { network, address } = destination.address;
  if (network === workload.network && workload.addresses.includes(address)) return true;
  const owner = findAddress(state, network, address, workload.namespace);
  return owner?.kind === 'service' && state.endpoints(serviceKey(owner.service)).has(workload.uid);
}
