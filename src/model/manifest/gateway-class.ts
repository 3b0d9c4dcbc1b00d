/** GatewayClass (gateway.networking.k8s.io): what all gateways of a class have in common (facts l7-and-control 4.1, 5.1). */
import type { FieldReader } from './field-reader.ts';
import { readWaypointFor, type WaypointFor } from './gateway.ts';
import type { ObjectMeta } from './object-meta.ts';

export interface GatewayClassObject {
  readonly kind: 'GatewayClass';
  readonly meta: ObjectMeta;
  /** Of waypoints of the class that do not say themselves. */
  readonly waypointFor: WaypointFor | undefined;
}

export function readGatewayClass(meta: ObjectMeta, _root: FieldReader): GatewayClassObject {
  return { kind: 'GatewayClass', meta, waypointFor: readWaypointFor(meta.labels) };
}
