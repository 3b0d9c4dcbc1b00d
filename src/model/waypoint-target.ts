/** What policies for waypoints are attached to, as keys that control plane and waypoints share. */
import type { TargetKind } from './manifest/target-refs.ts';

/** Every waypoint of the mesh. */
export const MESH_TARGET = 'Mesh';

/** A GatewayClass has no namespace. */
export function waypointTarget(kind: TargetKind, namespace: string, name: string): string {
  return kind === 'GatewayClass' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

/** Every waypoint of a namespace. */
export function namespaceTarget(namespace: string): string {
  return `Namespace/${namespace}`;
}
