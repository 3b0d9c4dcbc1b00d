/** Which workloads are waypoints, as metrics name them. */
import type { MeshProxy } from '../model/mesh-proxy.ts';
import type { Edge } from '../traffic/edges.ts';

/** What Kubernetes adds to the name of a Deployment for its pods. */
const POD_SUFFIX = /-[a-z0-9]+-[a-z0-9]{5}$/;

/** `namespace/name` of their Deployments. */
export function waypointNames(proxies: readonly MeshProxy[]): ReadonlySet<string> {
  const waypoints = proxies.filter(({ role }) => role === 'waypoint');
  return new Set(waypoints.map(({ namespace, name }) => `${namespace}/${name.replace(POD_SUFFIX, '')}`));
}

/** Whether it is the way to or from a waypoint: what goes through one is counted there from end to end, too. */
export function isHop({ source, destination }: Edge, waypoints: ReadonlySet<string>): boolean {
  return [source, destination].some(({ namespace, workload }) => waypoints.has(`${namespace}/${workload}`));
}
