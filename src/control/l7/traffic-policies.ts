/** DestinationRules of a service (facts l7-and-control 2). */
import type { Service } from '../../model/service.ts';
import type { TrafficPolicies } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

/** One for all waypoints, and one for each namespace of waypoints that says something of its own. */
export function buildTrafficPolicies(_context: BuildContext, _service: Service): readonly TrafficPolicies[] {
  return [];
}
