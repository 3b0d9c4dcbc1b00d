/** What goes through a waypoint is counted on its way to it, on its way from there, and by the waypoint itself. */
import type { Edge } from './edges.ts';

/**
 * Whether the connections of an edge are those of another edge, seen once more: on the way from a waypoint, or as the waypoint
 * tells of them from end to end.
 * @param waypoints workloads that are waypoints, as `namespace/name`
 */
export function secondLegs(edges: Iterable<Edge>, waypoints: ReadonlySet<string>): (edge: Edge) => boolean {
  const entered = new Set<string>();
  for (const { destination, service } of edges) {
    const waypoint = `${destination.namespace}/${destination.workload}`;
    if (!waypoints.has(waypoint)) continue;
    entered.add(`${service.hostname}|${waypoint}`);
    entered.add(service.hostname);
  }
  return ({ source, service, reporter, protocol }) => {
    if (protocol !== 'tcp') return false;
    if (reporter === 'waypoint') return entered.has(service.hostname);
    return entered.has(`${service.hostname}|${source.namespace}/${source.workload}`);
  };
}
