/**
 * Routes of the Gateway API that have a service as their parent (facts l7-and-control 4.4, 4.5).
 *
 * Invariants:
 * - A waypoint finds everything for a port in one entry: routes without a port are repeated in those of ports.
 * - The order of routes depends on the objects only, not on the order in which they came.
 * - What a namespace has for its own clients is not mixed with what there is for all.
 */
import { meshParentKey, parentReference } from '../../manifests/object-references.ts';
import { objectKey } from '../../model/manifest/manifest-object.ts';
import { isRoute, type RouteObject } from '../../model/manifest/route-object.ts';
import type { Service } from '../../model/service.ts';
import type { PortRoutes, WeightedBackend } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { backendForOwnClients, forOwnClients } from './client-routes.ts';
import { buildRankedRoutes, type RankedRoute, toWeightedBackend } from './http-rule-routes.ts';
import { attachRoute } from './route-attachment.ts';
import { compareMatches, compareRoutes } from './route-matching.ts';

interface AttachedRoute {
  readonly route: RouteObject;
  /** Empty for all. */
  readonly clientNamespace: string;
  /** With 0 for all. */
  readonly ports: ReadonlySet<number>;
  /** Undefined for a route of connections. */
  readonly ranked: readonly RankedRoute[] | undefined;
}

/** By client namespace and port; 0 for routes of all ports. */
export function gatewayApiRoutes(context: BuildContext, service: Service): readonly PortRoutes[] {
  const attached = attachedRoutes(context, service);
  const namespaces = new Set(attached.map(({ clientNamespace }) => clientNamespace));
  return [...namespaces].sort().flatMap((clientNamespace) => {
    const own = attached.filter((entry) => entry.clientNamespace === clientNamespace);
    if (clientNamespace === '') return routesByPort(context, own);
    const ofService = (entry: AttachedRoute) => ({ ...entry, ports: withoutZero(entry.ports, service) });
    return routesByPort(context, own.map(ofService)).map((routes) => ({
      ...routes,
      clientNamespace,
      http: routes.http.map((route) => forOwnClients(route, service, routes.port)),
      tcp: routes.tcp.map((backend) => backendForOwnClients(backend, service, routes.port)),
    }));
  });
}

function routesByPort(context: BuildContext, attached: readonly AttachedRoute[]): PortRoutes[] {
  const ports = new Set(attached.flatMap((entry) => [...entry.ports]));
  return [...ports]
    .sort((a, b) => a - b)
    .map((port) => {
      const concerned = attached.filter((entry) => entry.ports.has(port) || entry.ports.has(0));
      return portRoutes(context, port, concerned);
    });
}

/** Each port by its number: what clients may have depends on it. */
function withoutZero(ports: ReadonlySet<number>, service: Service): ReadonlySet<number> {
  return ports.has(0) ? new Set(service.ports.keys()) : ports;
}

/** The oldest first. */
function attachedRoutes(context: BuildContext, service: Service): AttachedRoute[] {
  const { store } = context;
  const parentKey = objectKey(service.canonical ? 'Service' : 'ServiceEntry', service.namespace, service.name);
  const attached: AttachedRoute[] = [];
  for (const key of store.referrers(parentReference(parentKey))) {
    const found = store.getByKey(key);
    if (!isRoute(found)) continue;
    // Where its requests may go depends on who is called: its other parents say nothing about that.
    const route = { ...found, parents: found.parents.filter((ref) => meshParentKey(ref) === parentKey) };
    const ports = new Set<number>();
    let clientNamespace = '';
    for (const ref of route.parents) {
      const attachment = attachRoute(context, route, ref);
      if (attachment?.kind !== 'attached') continue;
      ports.add(attachment.port);
      clientNamespace = attachment.clientNamespace;
    }
    if (ports.size === 0) continue;
    const isHttp = route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute';
    attached.push({ route, clientNamespace, ports, ranked: isHttp ? buildRankedRoutes(context, route) : undefined });
  }
  return attached.sort((a, b) => compareRoutes(a.route, b.route));
}

function portRoutes(context: BuildContext, port: number, attached: readonly AttachedRoute[]): PortRoutes {
  const l4 = attached.find(({ ranked }) => ranked === undefined);
  // Sorting keeps the order of what is equal: oldest routes first, rules as written.
  const http = attached.flatMap(({ ranked = [] }) => ranked).sort((a, b) => compareMatches(a.match, b.match));
  return {
    port,
    http: http.map((ranked) => ranked.http),
    tcp: l4 === undefined ? [] : l4Backends(context, l4.route),
    hasHttp: attached.some(({ ranked }) => ranked !== undefined),
    hasTcp: l4 !== undefined,
    grpcWeb: false,
    clientNamespace: '',
  };
}

/** Of the first rule: connections have nothing that others could match. */
function l4Backends(context: BuildContext, route: RouteObject): WeightedBackend[] {
  if (route.kind !== 'TCPRoute' && route.kind !== 'TLSRoute') return [];
  const backends = (route.rules[0]?.backends ?? []).map((ref) => toWeightedBackend(context, route, ref));
  return backends.length === 0 ? [NOTHING_THERE] : backends;
}

/** A route without backends refuses connections; none at all would let them go to the service. */
const NOTHING_THERE: WeightedBackend = {
  weight: 1,
  backend: undefined,
  requestHeaders: undefined,
  responseHeaders: undefined,
  path: undefined,
  authority: '',
};
