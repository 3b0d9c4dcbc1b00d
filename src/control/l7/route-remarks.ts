/** What of a route has no effect although its status is in order (facts l7-and-control 4.3): remarks for its author. */
import { compileFormat } from '../../format/compile-format.ts';
import { meshParentKey } from '../../manifests/object-references.ts';
import { isConnectionHeader } from '../../model/connection-headers.ts';
import { filtersOf, type HttpRouteRule } from '../../model/manifest/http-route.ts';
import { objectTitle } from '../../model/manifest/manifest-object.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { ParentRef } from '../../model/manifest/route-refs.ts';
import { attachRoute, type RouteLookup, waypointNamespace } from './route-attachment.ts';

/** The group of each kind between services. */
const GROUPS: ReadonlyMap<string, string> = new Map([
  ['Service', ''],
  ['ServiceEntry', 'networking.istio.io'],
]);
/** What a reference has that names no group, and what one has that empties it. */
const LIKELY_SLIPS: ReadonlySet<string> = new Set(['gateway.networking.k8s.io', '']);

/** Parents that are none, and parents whose requests no waypoint sees. */
export function parentRemarks(lookup: RouteLookup, route: RouteObject): string[] {
  return route.parents.flatMap((ref) => wrongGroup(ref) ?? withoutWaypoint(lookup, route, ref));
}

/** Fields of rules that waypoints pass over; what is for gateways is theirs to judge. */
export function unusedRemarks(route: RouteObject): string[] {
  if (route.kind === 'TCPRoute' || route.kind === 'TLSRoute') return [];
  if (!route.parents.some((ref) => meshParentKey(ref) !== undefined)) return [];
  return route.rules.flatMap((rule, index) => {
    const { unused } = rule;
    const fields = unused.length === 0 ? [] : [`rule ${index}: waypoints do not act on ${unused.join(', ')}`];
    const headers = [...connectionHeaders(rule), ...unknownOperators(rule)];
    return [...fields, ...headers.map((text) => `rule ${index}: ${text}`)];
  });
}

/** What nobody but the two ends of a connection changes. */
function connectionHeaders(rule: HttpRouteRule): string[] {
  const names = filtersOf(rule).flatMap((filter) => {
    if (!('headers' in filter)) return [];
    const { set, add, remove } = filter.headers;
    return [...set.map(({ name }) => name), ...add.map(({ name }) => name), ...remove];
  });
  return names
    .filter((name) => isConnectionHeader(name.toLowerCase()))
    .map((name) => `the header ${name} is left as it is: it belongs to the connection`);
}

/** Values of headers that look as if something were to be filled in. */
function unknownOperators(rule: HttpRouteRule): string[] {
  return filtersOf(rule).flatMap((filter) => {
    if (!('headers' in filter)) return [];
    return [...filter.headers.set, ...filter.headers.add].flatMap(({ name, value }) => {
      const format = compileFormat(value);
      if (format.ok || format.error.kind === 'syntax') return [];
      return [`the header ${name} is sent as it is written: its value ${format.error.reason}`];
    });
  });
}

function wrongGroup({ group, kind, name }: ParentRef): string[] | undefined {
  const meant = GROUPS.get(kind);
  if (meant === undefined || meant === group || !LIKELY_SLIPS.has(group)) return undefined;
  return [`parent ${kind} ${name} of the group "${group}" is nothing to attach to: did you mean group: "${meant}"?`];
}

function withoutWaypoint(lookup: RouteLookup, route: RouteObject, ref: ParentRef): string[] {
  const key = meshParentKey(ref);
  const parent = key === undefined ? undefined : lookup.store.getByKey(key);
  if (parent?.kind !== 'Service' && parent?.kind !== 'ServiceEntry') return [];
  if (attachRoute(lookup, route, ref)?.kind !== 'attached') return [];
  if (waypointNamespace(lookup, parent) !== undefined) return [];
  return [`${objectTitle(ref.kind, ref.namespace, ref.name)} is not bound to a waypoint: its requests are not routed`];
}
