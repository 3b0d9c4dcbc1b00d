/** Picks an endpoint of a service for a caller: eligibility, port mapping, rank, weight (facts ztunnel-wire 6.3 to 6.5). */
import { type Candidate, type EndpointGroup, pickEndpoint, rankEndpoints } from '../balance/rank-endpoints.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { Endpoint, MeshState } from './mesh-state.ts';

/** `standard`: the service must have the port. `waypoint`: an application tunnel is enough (facts 6.4). */
export type PickMode = 'standard' | 'waypoint';

/** An endpoint that can serve the asked port. */
export interface PickedEndpoint extends Candidate {
  readonly workload: Workload;
  readonly targetPort: number;
}

interface CachedGroups {
  readonly revision: number;
  readonly groups: Map<string, EndpointGroup<PickedEndpoint>>;
}

/** Rankings kept in all; beyond this the cache starts over. */
const MAX_CACHED_SERVICES = 4096;

export class EndpointPicker {
  readonly #state: MeshState;
  readonly #random: () => number;
  readonly #cache = new Map<string, CachedGroups>();

  constructor(state: MeshState, random: () => number) {
    this.#state = state;
    this.#random = random;
  }

  /** An endpoint for the caller and the service's port, or undefined when none can serve it. */
  pick(service: Service, port: number, source: Workload, mode: PickMode): PickedEndpoint | undefined {
    return pickEndpoint(this.#group(service, port, source, mode), this.#random);
  }

  #group(service: Service, port: number, source: Workload, mode: PickMode): EndpointGroup<PickedEndpoint> {
    const groups = this.#groupsOf(serviceKey(service));
    const { region, zone, subzone } = source.locality;
    const key = [mode, port, source.network, source.clusterId, source.node, region, zone, subzone].join('|');
    let group = groups.get(key);
    if (group === undefined) {
      group = rankEndpoints(serviceCandidates(this.#state, service, port, source, mode), source, service.loadBalancer);
      groups.set(key, group);
    }
    return group;
  }

  #groupsOf(key: string): Map<string, EndpointGroup<PickedEndpoint>> {
    const revision = this.#state.revision(key);
    const cached = this.#cache.get(key);
    if (cached?.revision === revision) return cached.groups;
    if (this.#cache.size >= MAX_CACHED_SERVICES) this.#cache.clear();
    const groups = new Map<string, EndpointGroup<PickedEndpoint>>();
    this.#cache.set(key, { revision, groups });
    return groups;
  }
}

/** All endpoints that can serve the port for the caller, whatever their weight. */
export function serviceCandidates(
  state: MeshState,
  service: Service,
  port: number,
  source: Workload,
  mode: PickMode,
): PickedEndpoint[] {
  const candidates: PickedEndpoint[] = [];
  if (mode === 'standard' && !service.ports.has(port)) return candidates;
  for (const endpoint of state.endpoints(serviceKey(service)).values()) {
    const targetPort = isEligible(endpoint, service, source) ? targetPortOf(endpoint, service, port) : undefined;
    if (targetPort === undefined) continue;
    const { workload } = endpoint;
    candidates.push({ workload, targetPort, weight: workload.capacity, place: workload });
  }
  return candidates;
}

function isEligible({ workload }: Endpoint, service: Service, source: Workload): boolean {
  const healthy = workload.status === 'Healthy' || service.loadBalancer?.healthPolicy === 'AllowAll';
  const reachable =
    workload.addresses.length > 0 ||
    workload.hostname !== '' ||
    (workload.network !== source.network && workload.networkGateway !== undefined);
  return healthy && reachable;
}

/** The endpoint's own mapping, then the service's, then the port itself behind an application tunnel (facts 6.4). */
export function targetPortOf(endpoint: Endpoint, service: Service, port: number): number | undefined {
  const own = endpoint.ports.get(port);
  if (own !== undefined && own !== 0) return own;
  const shared = service.ports.get(port);
  if (shared !== undefined && shared !== 0) return shared;
  return endpoint.workload.applicationTunnel?.port === undefined ? undefined : port;
}
