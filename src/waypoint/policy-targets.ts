/** What policies have to be attached to, to be asked about a connection through a waypoint. */
import { WAYPOINT_CLASSES } from '../model/manifest/gateway.ts';
import type { Service } from '../model/service.ts';
import { waypointTarget } from '../model/waypoint-target.ts';
import type { ConnectTarget } from './connect-target.ts';

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** Of a connection to what a waypoint serves. */
export function connectionTargets(gateway: Named, target: ConnectTarget): readonly string[] {
  return target.kind === 'service' ? serviceTargets(gateway, target.service) : gatewayTargets(gateway);
}

/** Of a connection to a workload; those of the whole mesh are not in it. */
export function gatewayTargets({ namespace, name }: Named): readonly string[] {
  const ofClasses = [...WAYPOINT_CLASSES].map((className) => waypointTarget('GatewayClass', '', className));
  return [...ofClasses, waypointTarget('Gateway', namespace, name)];
}

/** Of a connection to a service. */
export function serviceTargets(
  gateway: Named,
  { canonical, namespace, name }: Named & Pick<Service, 'canonical'>,
): readonly string[] {
  return [...gatewayTargets(gateway), waypointTarget(canonical ? 'Service' : 'ServiceEntry', namespace, name)];
}
