/**
 * A service's waypoint gets all routes of the service in one message, which has an end. So that no namespace takes it from
 * others, what one has for its own clients is bounded, all ports of the service together: ports from there on are answered
 * with 503.
 */
import { PortRoutes } from '../../proto/gen/ambit.ts';
import { unusableRoute } from '../../routing/unusable-route.ts';

const MAX_CLIENT_ROUTES_BYTES = 1024 * 1024;

export function boundClientRoutes(ports: readonly PortRoutes[]): readonly PortRoutes[] {
  const totals = new Map<string, number>();
  return ports.map((port) => {
    const { clientNamespace } = port;
    if (clientNamespace === '') return port;
    const total = (totals.get(clientNamespace) ?? 0) + PortRoutes.encode(port).finish().length;
    totals.set(clientNamespace, total);
    return total > MAX_CLIENT_ROUTES_BYTES ? refusal(port) : port;
  });
}

function refusal(port: PortRoutes): PortRoutes {
  const reason = `namespace ${port.clientNamespace} has more than ${MAX_CLIENT_ROUTES_BYTES} bytes of them for this service`;
  return { ...port, http: [unusableRoute(reason)], tcp: [], hasHttp: true, hasTcp: true };
}
