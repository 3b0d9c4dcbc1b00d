/** VirtualServices for a service's waypoint (facts l7-and-control 1). */
import type { Service } from '../../model/service.ts';
import type { PortRoutes } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

/** One entry per port of the service that some rule concerns. */
export function virtualServiceRoutes(_context: BuildContext, _service: Service): readonly PortRoutes[] {
  return [];
}
