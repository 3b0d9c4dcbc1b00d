/** `/api/inventory`: all services and workloads, and how they do. */
import type { Rates } from '../../traffic/edge-rates.ts';
import { workloadId } from '../mesh-feed.ts';
import { isVisible } from '../visible-edges.ts';
import { isHop, waypointNames } from '../waypoint-names.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';
import { visibleServices } from './service-api.ts';

export interface InventoryRow {
  readonly id: string;
  readonly kind: 'service' | 'workload' | 'waypoint';
  readonly healthy: number;
  readonly pods: number;
  /** In mutual TLS. */
  readonly inMesh: number;
  readonly waypoint: string | undefined;
  readonly versions: readonly string[];
  readonly rates: Rates | undefined;
}

export interface Inventory {
  readonly rows: readonly InventoryRow[];
}

export function inventoryApi({ reader, collector }: ApiSources): ApiHandler {
  return async (viewer): Promise<Inventory> => {
    const feed = await reader(viewer).feed();
    const waypoints = waypointNames(collector.proxies);
    const { history } = collector;
    const isCounted = (edge: Parameters<typeof isHop>[0]) => isVisible(viewer, edge) && !isHop(edge, waypoints);
    const named = (namespace: string, name: string) => (name === '' ? undefined : `${namespace}/${name}`);
    const ofServices = history.groupsNow((edge) =>
      isCounted(edge) ? named(edge.service.namespace, edge.service.name) : undefined,
    );
    const ofWorkloads = history.groupsNow((edge) =>
      isCounted(edge) ? named(edge.destination.namespace, edge.destination.workload) : undefined,
    );
    const byService = new Map(ofServices.map((one) => [one.group, one]));
    const byWorkload = new Map(ofWorkloads.map((one) => [one.group, one]));
    const row = (
      id: string,
      kind: InventoryRow['kind'],
      pods: ReturnType<typeof feed.podsOf>,
      waypoint: string | undefined,
      rates: Rates | undefined,
    ): InventoryRow => ({
      id,
      kind,
      healthy: pods.filter(({ status }) => status === 'Healthy').length,
      pods: pods.length,
      inMesh: pods.filter(({ protocol }) => protocol === 'HBONE').length,
      waypoint,
      versions: [...new Set(pods.map(({ canonicalRevision }) => canonicalRevision))].sort(),
      rates,
    });
    const services = visibleServices(feed, viewer).map((service) => {
      const id = `${service.namespace}/${service.name}`;
      const kind = waypoints.has(id) ? 'waypoint' : 'service';
      return row(id, kind, feed.endpointsOf(service), feed.waypointName(service.waypoint), byService.get(id));
    });
    const groups = Map.groupBy(
      [...feed.state.workloads()].filter(({ namespace }) => viewer.mayRead(namespace)),
      workloadId,
    );
    const workloads = [...groups]
      .filter(([id]) => !waypoints.has(id))
      .map(([id, pods]) => row(id, 'workload', pods, undefined, byWorkload.get(id)));
    const order = (a: InventoryRow, b: InventoryRow) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    return { rows: [...services, ...workloads].sort(order) };
  };
}
