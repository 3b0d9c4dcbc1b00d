/** `/api/service?id=NAMESPACE/NAME`: endpoints, routes as they are configured, and what each version really gets. */
import type { Service } from '../../model/service.ts';
import type { Rates } from '../../traffic/edge-rates.ts';
import type { Edge } from '../../traffic/edges.ts';
import { type MeshFeed, workloadId } from '../mesh-feed.ts';
import { type CountedPolicyInForce, policiesOfPods, withHits } from '../policies-of-pods.ts';
import { type RouteView, routesOf } from '../route-view.ts';
import type { Viewer } from '../viewer.ts';
import { isVisible } from '../visible-edges.ts';
import { isHop, waypointNames } from '../waypoint-names.ts';
import { type ApiHandler, type ApiSources, askedFor, NotShown } from './api-handler.ts';
import { type PodView, podView } from './workload-api.ts';

export interface EndpointView extends PodView {
  readonly workload: string;
  /** Out of balancing at a waypoint, because it failed. */
  readonly ejected: boolean;
}

/** Endpoints of one revision. */
export interface VersionView {
  readonly revision: string;
  readonly workloads: readonly string[];
  readonly endpoints: number;
  /** Of all requests that some endpoint took, else of all connections; 0 to 1. Undefined while there is nothing. */
  readonly share: number | undefined;
  readonly rates: Rates | undefined;
}

export interface ServiceView {
  readonly id: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly ports: readonly string[];
  readonly waypoint: string | undefined;
  readonly endpoints: readonly EndpointView[];
  readonly routes: readonly RouteView[];
  readonly versions: readonly VersionView[];
  readonly policies: readonly CountedPolicyInForce[];
  /** All calls together, also those that no endpoint took. */
  readonly rates: Rates | undefined;
}

export function serviceApi({ reader, collector }: ApiSources): ApiHandler {
  return async (viewer, query): Promise<ServiceView> => {
    const { id } = askedFor(viewer, query, 'id');
    const feed = await reader(viewer).feed();
    const service = feed.serviceNamed(id);
    if (service === undefined) throw new NotShown(`service ${id}`);
    const ejected = service.waypoint === undefined ? new Set<string>() : await reader(viewer).ejected();
    const pods = feed.endpointsOf(service);
    const routes = routesOf(feed, service);
    const waypoints = waypointNames(collector.proxies);
    const isCall = (edge: Edge) => isCallOf(service, edge) && !isHop(edge, waypoints) && isVisible(viewer, edge);
    const { history } = collector;
    return {
      id,
      hostname: service.hostname,
      addresses: service.vips.map(({ address }) => address),
      ports: [...service.ports].map(([port, target]) =>
        target === 0 || target === port ? `${port}` : `${port} → ${target}`,
      ),
      waypoint: feed.waypointName(service.waypoint),
      endpoints: pods.map((pod) => ({
        ...podView(pod),
        workload: workloadId(pod),
        ejected: ejected.has(pod.uid),
      })),
      routes,
      versions: versionsOf(feed, service, routes, (groupOf) =>
        history.groupsNow((edge) => (isCall(edge) ? groupOf(edge) : undefined)),
      ),
      policies: withHits(policiesOfPods(feed, pods, [service]), collector.policies),
      rates: history.groupsNow((edge) => (isCall(edge) ? id : undefined))[0],
    };
  };
}

function isCallOf({ namespace, name }: Service, { service }: Edge): boolean {
  return service.namespace === namespace && service.name === name;
}

type Grouped = (groupOf: (edge: Edge) => string | undefined) => readonly (Rates & { readonly group: string })[];

/** Its endpoints and those that its routes lead to, by their revision. */
function versionsOf(feed: MeshFeed, service: Service, routes: readonly RouteView[], grouped: Grouped): VersionView[] {
  const reached = new Set(routes.flatMap(({ backends }) => backends).flatMap(({ workloads }) => workloads));
  const others = [...reached].flatMap((id) => feed.podsOf(id));
  const pods = [...new Map([...feed.endpointsOf(service), ...others].map((pod) => [pod.uid, pod])).values()];
  const rates = new Map(
    grouped(({ destination }) => (destination.workload === '' ? undefined : destination.revision)).map((one) => [
      one.group,
      one,
    ]),
  );
  const all = [...rates.values()];
  const requests = all.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const opened = all.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const shareOf = ({ requestsPerSec, openedPerSec }: Rates) =>
    requests > 0 ? requestsPerSec / requests : opened > 0 ? openedPerSec / opened : undefined;
  const byRevision = Map.groupBy(pods, ({ canonicalRevision }) => canonicalRevision);
  return [...byRevision]
    .map(([revision, members]) => {
      const now = rates.get(revision);
      return {
        revision,
        workloads: [...new Set(members.map(workloadId))].sort(),
        endpoints: members.length,
        share: now === undefined ? (requests + opened > 0 ? 0 : undefined) : shareOf(now),
        rates: now,
      };
    })
    .sort((a, b) => (a.revision < b.revision ? -1 : 1));
}

/** @returns the services of the mesh that a viewer may see */
export function visibleServices(feed: MeshFeed, viewer: Viewer): Service[] {
  return [...feed.state.services()].filter(({ namespace }) => viewer.mayRead(namespace));
}
