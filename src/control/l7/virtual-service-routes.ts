/** VirtualServices for a service's waypoint (facts l7-and-control 1). */
import type { VirtualServiceObject } from '../../model/manifest/virtual-service.ts';
import type { Service } from '../../model/service.ts';
import type { HttpRoute, PortRoutes, WeightedBackend } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { type EffectiveRule, effectiveRules } from './virtual-service/delegated-rules.ts';
import { buildL4Backends } from './virtual-service/l4-backends.ts';
import type { ResolveBackend } from './virtual-service/route-backends.ts';
import { resolveDestination } from './virtual-service/route-destination.ts';
import { buildRuleRoutes } from './virtual-service/rule-routes.ts';
import type { RoutePlace } from './virtual-service/source-match.ts';
import { virtualServicesOf, waypointNamespaceOf } from './virtual-service/virtual-service-selection.ts';

interface Source {
  readonly object: VirtualServiceObject;
  readonly rules: readonly EffectiveRule[];
  readonly resolve: ResolveBackend;
}

/** One entry per port of the service that some rule concerns, where a rule names a port; else one for all, port 0. */
export function virtualServiceRoutes(context: BuildContext, service: Service): readonly PortRoutes[] {
  const { store, mesh } = context;
  const sources = virtualServicesOf(context, service).map((object): Source => {
    const { namespace } = object.meta;
    const resolve: ResolveBackend = (to) => resolveDestination(store, mesh, namespace, to);
    return { object, rules: effectiveRules(store, mesh, object), resolve };
  });
  if (sources.length === 0) return [];
  const waypointNamespace = waypointNamespaceOf(store, service);
  const ports = sources.some(namesPort) ? [...service.ports.keys()] : [0];
  return ports.flatMap((port) => {
    const routes = portRoutes(sources, service, { port, waypointNamespace });
    return routes.hasHttp || routes.hasTcp ? [routes] : [];
  });
}

function portRoutes(sources: readonly Source[], service: Service, place: RoutePlace): PortRoutes {
  const http = sources.flatMap((source) => httpRoutes(source, place));
  const tcp = tcpBackends(sources, service, place);
  return {
    port: place.port,
    http,
    tcp: tcp ?? [],
    hasHttp: http.length > 0,
    hasTcp: tcp !== undefined,
    grpcWeb: false,
    clientNamespace: '',
  };
}

function httpRoutes({ rules, resolve }: Source, place: RoutePlace): HttpRoute[] {
  const all: HttpRoute[] = [];
  for (const rule of rules) {
    const { routes, isLast } = buildRuleRoutes(rule, place, resolve);
    all.push(...routes);
    if (isLast) break;
  }
  return all;
}

function tcpBackends(sources: readonly Source[], service: Service, place: RoutePlace): WeightedBackend[] | undefined {
  for (const { object, resolve } of sources) {
    const backends = buildL4Backends(object, service, place, resolve);
    if (backends !== undefined) return backends;
  }
  return undefined;
}

function namesPort({ object: { spec }, rules }: Source): boolean {
  const l4 = [...(spec.tls ?? []), ...(spec.tcp ?? [])].flatMap(({ match = [] }) => match);
  const http = rules.flatMap(({ rule }) => rule.match ?? []);
  return [...l4, ...http].some(({ port = 0 }) => port !== 0);
}
