import type { WaypointConfig } from './config.ts';

/** How a waypoint introduces itself to the control plane, and in traces (facts l7-and-control 5.5, 8.3). */
export function nodeId({ instanceIp, podName, podNamespace }: WaypointConfig): string {
  return `waypoint~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`;
}
