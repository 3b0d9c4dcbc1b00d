/** The endpoints of a cluster as hosts that are balanced over, by priority. */
import type { BalancedHost } from '../balance/balancer.ts';
import { isWeighted } from '../balance/make-balancer.ts';
import type { HostPart } from '../balance/priority-balancer.ts';
import { priorityLevels } from '../balance/priority-levels.ts';
import { type PickedEndpoint, serviceCandidates } from '../mesh/endpoint-picker.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { selectorMatches } from '../model/manifest/object-meta.ts';
import type { LoadBalancing, Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { LoadBalancer } from '../proto/gen/ambit.ts';
import { workloadLabel } from './endpoint-labels.ts';
import { endpointId } from './session.ts';
import type { TrafficFeed } from './traffic-feed.ts';
import type { Endpoint } from './upstreams.ts';

/** An endpoint; the same one for as long as the endpoint stays. */
export interface ClusterHost extends BalancedHost {
  readonly uid: string;
  endpoint: Endpoint;
  hashKey: string;
  active: number;
  /** What clients call it; undefined until one may have. */
  idForClients: string | undefined;
  /** Which of the levels it is in. */
  priority: number;
  readonly addedMs: number;
}

/** Which endpoints a cluster has. */
export interface ClusterScope {
  readonly service: Service;
  readonly port: number;
  /** Undefined for all endpoints. */
  readonly subset: ReadonlyMap<string, string> | undefined;
  readonly loadBalancer: LoadBalancer | undefined;
}

export interface ClusterHosts {
  readonly byUid: ReadonlyMap<string, ClusterHost>;
  readonly levels: readonly (readonly HostPart<ClusterHost>[])[];
}

const ANY_HEALTH: LoadBalancing = { mode: 'Standard', routingPreferences: [], healthPolicy: 'AllowAll' };

/** @param before hosts to keep, with their counts @param addedMs when those came that were not there before */
export function clusterHosts(
  state: MeshState,
  feed: TrafficFeed,
  scope: ClusterScope,
  self: Workload,
  before: ReadonlyMap<string, ClusterHost>,
  addedMs: number,
): ClusterHosts {
  const { service, port, subset, loadBalancer } = scope;
  const all = serviceCandidates(state, service, port, self, 'standard');
  const candidates =
    subset === undefined ? all : all.filter(({ workload }) => selectorMatches(subset, feed.labels(workload.uid)));
  const labelOf = (workload: Workload, name: string) => workloadLabel(workload, name, feed.labels(workload.uid));
  const levels = priorityLevels(candidates, self, loadBalancer, service.loadBalancer, {
    own: (name) => labelOf(self, name),
    of: ({ workload }, name) => labelOf(workload, name),
  });
  const byUid = new Map<string, ClusterHost>();
  const weighted = isWeighted(loadBalancer);
  const hostOf = (candidate: PickedEndpoint, priority: number) => {
    const host = keptOrNew(before.get(candidate.workload.uid), candidate, service, addedMs);
    host.priority = priority;
    byUid.set(host.uid, host);
    return { host, weight: weighted ? candidate.weight : 1 };
  };
  return {
    byUid,
    levels: levels.map((level, priority) =>
      level.map(({ share, members }) => ({ share, hosts: members.map((one) => hostOf(one, priority)) })),
    ),
  };
}

/**
 * The endpoints that clients may name, by id: also those that get nobody new, because they drain or are not ready.
 * @param hosts those that are balanced over
 */
export function namedHosts(
  state: MeshState,
  feed: TrafficFeed,
  { service, port, subset }: ClusterScope,
  self: Workload,
  hosts: ReadonlyMap<string, ClusterHost>,
): ReadonlyMap<string, ClusterHost> {
  const candidates = serviceCandidates(state, { ...service, loadBalancer: ANY_HEALTH }, port, self, 'standard');
  const named = new Map<string, ClusterHost>();
  for (const candidate of candidates) {
    const { workload } = candidate;
    if (subset !== undefined && !selectorMatches(subset, feed.labels(workload.uid))) continue;
    const host = keptOrNew(hosts.get(workload.uid), candidate, service, Number.NEGATIVE_INFINITY);
    host.idForClients ??= endpointId(host.endpoint);
    named.set(host.idForClients, host);
  }
  return named;
}

function keptOrNew(
  kept: ClusterHost | undefined,
  { workload, targetPort }: PickedEndpoint,
  service: Service,
  addedMs: number,
): ClusterHost {
  const endpoint = { workload, port: targetPort, service };
  const hashKey = `${workload.addresses[0] ?? workload.hostname}:${targetPort}`;
  if (kept === undefined)
    return { uid: workload.uid, endpoint, hashKey, active: 0, idForClients: undefined, priority: 0, addedMs };
  kept.endpoint = endpoint;
  kept.hashKey = hashKey;
  return kept;
}
