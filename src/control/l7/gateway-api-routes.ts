/** HTTPRoute, GRPCRoute and TCPRoute that have a service as their parent (facts l7-and-control 4.4, 4.5). */
import type { Service } from '../../model/service.ts';
import type { PortRoutes } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

/** By port; 0 for routes of all ports. */
export function gatewayApiRoutes(_context: BuildContext, _service: Service): readonly PortRoutes[] {
  return [];
}
