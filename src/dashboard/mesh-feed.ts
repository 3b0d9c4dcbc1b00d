/** What the control plane feeds to proxies, in the objects that proxies ask: what is configured, for the pages to show. */
import { feedHandlers } from '../mesh/feed.ts';
import { MeshState } from '../mesh/mesh-state.ts';
import type { GatewayAddress } from '../model/gateway-address.ts';
import { type Service, serviceKey } from '../model/service.ts';
import {
  SERVICE_ROUTES_TYPE,
  TRAFFIC_POLICIES_TYPE,
  WAYPOINT_POLICY_TYPE,
  WORKLOAD_LABELS_TYPE,
} from '../model/waypoint-feed.ts';
import type { Workload } from '../model/workload.ts';
import { type Backend, ServiceRoutes, TrafficPolicies, WaypointPolicy, WorkloadLabels } from '../proto/gen/ambit.ts';
import type { ReceivedResource } from '../xds/client/delta-client.ts';

/** By type URL. */
export type FeedResources = ReadonlyMap<string, readonly ReceivedResource[]>;

export class MeshFeed {
  readonly resources: FeedResources;
  readonly state = new MeshState();
  readonly policies: readonly WaypointPolicy[];
  /** By key of the service. */
  readonly #routes: ReadonlyMap<string, ServiceRoutes>;
  readonly #traffic: readonly TrafficPolicies[];
  readonly #labels: ReadonlyMap<string, ReadonlyMap<string, string>>;

  constructor(resources: FeedResources) {
    this.resources = resources;
    for (const handler of feedHandlers({}, (changes) => this.state.apply(changes))) {
      handler.apply(resources.get(handler.typeUrl) ?? [], []);
    }
    const decoded = <T>(typeUrl: string, decode: (bytes: Uint8Array) => T) =>
      (resources.get(typeUrl) ?? []).map(({ name, bytes }) => [name, decode(bytes)] as const);
    this.policies = decoded(WAYPOINT_POLICY_TYPE, (bytes) => WaypointPolicy.decode(bytes)).map(([, policy]) => policy);
    this.#routes = new Map(decoded(SERVICE_ROUTES_TYPE, (bytes) => ServiceRoutes.decode(bytes)));
    this.#traffic = decoded(TRAFFIC_POLICIES_TYPE, (bytes) => TrafficPolicies.decode(bytes)).map(([, one]) => one);
    this.#labels = new Map(decoded(WORKLOAD_LABELS_TYPE, (bytes) => WorkloadLabels.decode(bytes).labels));
  }

  /** By `namespace/name`; the namespace of a host of a ServiceEntry is that of the entry. */
  serviceNamed(id: string): Service | undefined {
    const all = [...this.state.services()];
    return all.find(({ namespace, name }) => `${namespace}/${name}` === id) ?? this.state.service(id);
  }

  /** All pods of what metrics call a workload. */
  podsOf(id: string): Workload[] {
    return [...this.state.workloads()].filter((workload) => workloadId(workload) === id);
  }

  endpointsOf(service: Pick<Service, 'namespace' | 'hostname'>): Workload[] {
    return [...this.state.endpoints(serviceKey(service)).values()].map(({ workload }) => workload);
  }

  routesOf(service: Service): ServiceRoutes | undefined {
    return this.#routes.get(serviceKey(service));
  }

  /** The endpoints that a route's backend means. */
  backendPods(backend: Backend): Workload[] {
    const pods = this.endpointsOf(backend);
    if (backend.subset === '') return pods;
    const { namespace, hostname } = backend;
    const wanted = this.#traffic
      .filter((one) => one.namespace === namespace && one.hostname === hostname)
      .flatMap(({ subsets }) => subsets)
      .find(({ name }) => name === backend.subset)?.labels;
    if (wanted === undefined) return [];
    return pods.filter(({ uid }) => [...wanted].every(([name, value]) => this.#labels.get(uid)?.get(name) === value));
  }

  /** What a waypoint is called, `namespace/name`; undefined for none. */
  waypointName(waypoint: GatewayAddress | undefined): string | undefined {
    if (waypoint === undefined) return undefined;
    const { destination } = waypoint;
    if (destination.kind === 'hostname') {
      const { namespace, hostname } = destination.hostname;
      return `${namespace}/${hostname.split('.')[0]}`;
    }
    const { network, address } = destination.address;
    const owner = this.state.workloadByAddress(network, address) ?? this.state.servicesByVip(network, address)[0];
    return owner && `${owner.namespace}/${'workloadName' in owner ? owner.workloadName : owner.name}`;
  }
}

/** As metrics name it: `namespace/workload`. */
export function workloadId({ namespace, workloadName, name }: Workload): string {
  return `${namespace}/${workloadName || name}`;
}
