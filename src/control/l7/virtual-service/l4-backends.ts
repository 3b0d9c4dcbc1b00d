/** The `tls` and `tcp` rules as far as a waypoint honours them (facts l7-and-control 1.3, 1.4). */
import { cidrContains, ipToBytes, parseCidr } from '../../../model/address.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { L4MatchSpec, RouteSpec, TlsMatchSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { Service } from '../../../model/service.ts';
import type { WeightedBackend } from '../../../proto/gen/ambit.ts';
import { buildWeightedBackends, type ResolveBackend } from './route-backends.ts';
import { canHold, type RoutePlace } from './source-match.ts';

/** Of the first rule that holds; undefined when none does. */
export function buildL4Backends(
  { spec }: VirtualServiceObject,
  service: Service,
  place: RoutePlace,
  resolve: ResolveBackend,
): WeightedBackend[] | undefined {
  const route = l4Route(spec, service, place);
  return route && buildWeightedBackends(route, '', resolve);
}

function l4Route(
  { tls = [], tcp = [] }: VirtualServiceObject['spec'],
  service: Service,
  place: RoutePlace,
): readonly RouteSpec[] | undefined {
  const holds = (match: L4MatchSpec) => canHold(match, place) && isToSubnet(match, service);
  const ofTls = tls.find(({ match }) => match.some((condition) => isForHost(condition, service) && holds(condition)));
  const ofTcp = tcp.find(({ match = [] }) => match.length === 0 || match.some(holds));
  return ofTls?.route ?? ofTcp?.route;
}

/** Waypoints do not look into TLS: only what all connections to the service have is known. */
function isForHost({ sniHosts }: TlsMatchSpec, { hostname }: Service): boolean {
  return sniHosts.length === 1 && sniHosts[0]?.toLowerCase() === hostname.toLowerCase();
}

/** Clients are known to have called one of the service's addresses; nothing is known of their own. */
function isToSubnet({ destinationSubnets = [], sourceSubnet = '' }: L4MatchSpec, { vips }: Service): boolean {
  if (sourceSubnet !== '') return false;
  if (destinationSubnets.length === 0) return true;
  const cidrs = destinationSubnets.map(parseCidr).filter((cidr) => cidr !== undefined);
  return vips.some(({ address }) => cidrs.some((cidr) => cidrContains(cidr, ipToBytes(address))));
}
