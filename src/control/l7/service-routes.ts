/** What the waypoint of a service does with requests to it: routes of the Gateway API, else VirtualServices. */
import type { Service } from '../../model/service.ts';
import type { PortRoutes, ServiceRoutes } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { boundRegexes } from './bound-regexes.ts';
import { gatewayApiRoutes } from './gateway-api-routes.ts';
import { serviceSession } from './session-persistence.ts';
import { virtualServiceRoutes } from './virtual-service-routes.ts';

/** Undefined where nothing is configured, and for a service without a waypoint. */
export function buildServiceRoutes(
  context: BuildContext,
  service: Service,
  grpcWebPorts: readonly number[],
): ServiceRoutes | undefined {
  if (service.waypoint === undefined) return undefined;
  const routes = merged(gatewayApiRoutes(context, service), virtualServiceRoutes(context, service));
  const ports = withGrpcWeb(boundRegexes(routes), grpcWebPorts);
  const session = serviceSession(context, service);
  if (ports.length === 0 && session === undefined) return undefined;
  return { namespace: service.namespace, hostname: service.hostname, ports: [...ports], session };
}

/** Where both name a port, routes of the Gateway API hold for it. */
function merged(gatewayApi: readonly PortRoutes[], virtualServices: readonly PortRoutes[]): readonly PortRoutes[] {
  if (gatewayApi.some(({ port }) => port === 0)) return gatewayApi;
  const taken = new Set(gatewayApi.map(({ port }) => port));
  return [...gatewayApi, ...virtualServices.filter(({ port }) => !taken.has(port))];
}

/** A port of gRPC-Web has an entry of its own, with the routes that hold for it. */
function withGrpcWeb(routes: readonly PortRoutes[], grpcWebPorts: readonly number[]): readonly PortRoutes[] {
  if (grpcWebPorts.length === 0) return routes;
  const own = grpcWebPorts.map((port): PortRoutes => {
    const held = routes.find((entry) => entry.port === port) ?? routes.find((entry) => entry.port === 0);
    return { ...(held ?? NO_ROUTES), port, grpcWeb: true };
  });
  return [...own, ...routes.filter(({ port }) => !grpcWebPorts.includes(port))];
}

const NO_ROUTES: PortRoutes = { port: 0, http: [], tcp: [], hasHttp: false, hasTcp: false, grpcWeb: false };
