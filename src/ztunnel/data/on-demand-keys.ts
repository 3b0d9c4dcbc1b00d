/** Which keys a connection needs in the state before it can be decided, with `XDS_ON_DEMAND` (facts ztunnel-wire 5.3, 8.1). */

import type { Authority } from '../../hbone/authority.ts';
import { findAddress } from '../../mesh/find-service.ts';
import { hostnameKey } from '../../model/gateway-address.ts';
import type { Workload } from '../../model/workload.ts';
import type { PodInfo } from './local-workload.ts';
import type { OnDemandLookups } from './on-demand-lookups.ts';
import type { PodContext } from './pod-context.ts';

/** The uid of a pod (facts ztunnel-wire 5.4). */
export function podUidKey(clusterId: string, { namespace, name }: PodInfo): string {
  return `${clusterId}//Pod/${namespace}/${name}`;
}

/**
 * What is missing to judge the authority of a request to this workload; empty when nothing is. To be asked again after
 * an answer, which may name more.
 */
export function missingForAuthority(
  context: Pick<PodContext, 'state' | 'config'>,
  lookups: OnDemandLookups,
  local: Workload,
  localIp: string,
  authority: Authority,
): readonly string[] {
  if (authority.kind === 'hostname') return missingForHostname(context, lookups, local, authority.hostname);
  // Its own address, and everything behind an application tunnel, is accepted unseen.
  if (authority.ip === localIp || local.applicationTunnel !== undefined) return [];
  const { state, config } = context;
  const key = lookups.addressKey(config.network, authority.ip);
  if (key !== undefined) return [key];
  const owner = findAddress(state, config.network, authority.ip, local.namespace);
  const waypoint = owner?.kind === 'service' ? owner.service.waypoint : owner?.workload.waypoint;
  // A waypoint named by hostname is compared with the services of our own record, which we have.
  if (waypoint?.destination.kind !== 'address') return [];
  const { network, address } = waypoint.destination.address;
  if (network === local.network && local.addresses.includes(address)) return [];
  const waypointKey = lookups.addressKey(network, address);
  return waypointKey === undefined ? [] : [waypointKey];
}

/** A hostname says no namespace: the services of the workload, then its own namespace, then that of a cluster name. */
function missingForHostname(
  { state }: Pick<PodContext, 'state'>,
  lookups: OnDemandLookups,
  local: Workload,
  hostname: string,
): readonly string[] {
  if (state.servicesByHostname(hostname).length > 0 || state.workloadsByHostname(hostname).length > 0) return [];
  const keys = new Set<string>([hostnameKey(local.namespace, hostname)]);
  for (const key of local.services.keys()) if (key.endsWith(`/${hostname}`)) keys.add(key);
  const [, namespace, label] = hostname.split('.');
  if (namespace !== undefined && label === 'svc') keys.add(hostnameKey(namespace, hostname));
  return [...keys].filter((key) => !lookups.isSettled(key));
}
