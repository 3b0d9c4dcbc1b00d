/** What the waypoint of a service does with requests to it: routes of the Gateway API, else VirtualServices. */
import type { Service } from '../../model/service.ts';
import type { PortRoutes, ServiceRoutes } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { boundClientRoutes } from './bound-client-routes.ts';
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
  const ports = withGrpcWeb(boundRegexes(boundClientRoutes(routes)), grpcWebPorts);
  const session = serviceSession(context, service);
  if (ports.length === 0 && session === undefined) return undefined;
  return { namespace: service.namespace, hostname: service.hostname, ports: [...ports], session };
}

/** Where both name a port, routes of the Gateway API hold for it. */
function merged(gatewayApi: readonly PortRoutes[], virtualServices: readonly PortRoutes[]): readonly PortRoutes[] {
  const taken = new Set(gatewayApi.filter(isForAll).map(({ port }) => port));
  return taken.has(0) ? gatewayApi : [...gatewayApi, ...virtualServices.filter(({ port }) => !taken.has(port))];
}

/** A port of gRPC-Web has entries of its own, with the routes that hold for it. */
function withGrpcWeb(routes: readonly PortRoutes[], grpcWebPorts: readonly number[]): readonly PortRoutes[] {
  if (grpcWebPorts.length === 0) return routes;
  const namespaces = new Set(['', ...routes.map(({ clientNamespace }) => clientNamespace)]);
  const own = [...namespaces].flatMap((clientNamespace) =>
    grpcWebPorts.flatMap((port): PortRoutes[] => {
      const held = heldFor(routes, clientNamespace, port);
      return held === undefined && clientNamespace !== '' ? [] : [{ ...(held ?? NO_ROUTES), port, grpcWeb: true }];
    }),
  );
  return [...own, ...routes.filter(({ port }) => !grpcWebPorts.includes(port))];
}

function heldFor(routes: readonly PortRoutes[], clientNamespace: string, port: number): PortRoutes | undefined {
  const ofClients = routes.filter((entry) => entry.clientNamespace === clientNamespace);
  return ofClients.find((entry) => entry.port === port) ?? ofClients.find((entry) => entry.port === 0);
}

function isForAll({ clientNamespace }: PortRoutes): boolean {
  return clientNamespace === '';
}

const NO_ROUTES: PortRoutes = {
  port: 0,
  http: [],
  tcp: [],
  hasHttp: false,
  hasTcp: false,
  grpcWeb: false,
  clientNamespace: '',
};
