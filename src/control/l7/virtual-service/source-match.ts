/** The parts of a match that are decided when routes are built (facts l7-and-control 1.2, 1.4). */
import type { SourceMatchSpec } from '../../../model/manifest/virtual-service-spec.ts';
import { includesMesh } from '../../../model/validation/visibility-rules.ts';

/** Where routes are built for. */
export interface RoutePlace {
  /** Of the service. */
  readonly port: number;
  readonly waypointNamespace: string;
}

/**
 * Whether the match can hold there. Waypoints do not know the labels of clients. The namespace of the client is compared
 * with the waypoint's, and only where no gateways are named, as Istio does.
 */
export function canHold(match: SourceMatchSpec, place: RoutePlace): boolean {
  const { port = 0, gateways = [], sourceNamespace = '' } = match;
  if (hasSourceLabels(match) || (port !== 0 && port !== place.port)) return false;
  if (gateways.length > 0) return includesMesh(gateways);
  return sourceNamespace === '' || sourceNamespace === place.waypointNamespace;
}

export function hasSourceLabels({ sourceLabels = {} }: SourceMatchSpec): boolean {
  return Object.keys(sourceLabels).length > 0;
}
