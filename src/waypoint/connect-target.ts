/** What a CONNECT request to a waypoint is for (facts l7-and-control 5.3, 5.5). */
import { fail, ok, type Result } from '../base/result.ts';
import type { Authority } from '../hbone/authority.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { findAddress, preferredService } from '../mesh/find-service.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { isWaypointWorkload } from '../mesh/waypoint-workload.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';

/** Where the bytes of a connection are meant to go. */
export type ConnectTarget =
  | { readonly kind: 'service'; readonly service: Service; readonly port: number }
  | { readonly kind: 'workload'; readonly workload: Workload; readonly port: number };

/**
 * Finds the service or workload of the authority, which has to name this waypoint as its own: a waypoint is no open
 * proxy for the mesh.
 * @param self the waypoint's own workload
 */
export function findConnectTarget(
  state: MeshState,
  self: Workload,
  authority: Authority,
): Result<ConnectTarget, ProxyError> {
  const { port } = authority;
  if (authority.kind === 'hostname') {
    const service = preferredService(state.servicesByHostname(authority.hostname), self.namespace);
    if (service === undefined) {
      return fail(proxyError('UNKNOWN_HOSTNAME', `no service or workload for hostname: ${authority.hostname}`));
    }
    return bound(state, self, { kind: 'service', service, port }, authority);
  }
  const owner = findAddress(state, self.network, authority.ip, self.namespace);
  if (owner === undefined) return fail(notOurs(authority));
  return bound(state, self, { ...owner, port }, authority);
}

/** Whether what was called names this waypoint as its own. */
export function isBoundTo(
  state: MeshState,
  self: Workload,
  { waypoint, weightedWaypoints = [] }: Pick<Workload, 'waypoint'> & Partial<Pick<Service, 'weightedWaypoints'>>,
): boolean {
  const waypoints = [waypoint, ...weightedWaypoints.map(({ destination }) => destination)];
  return waypoints.some((one) => one !== undefined && isWaypointWorkload(state, one, self));
}

function bound(
  state: MeshState,
  self: Workload,
  target: ConnectTarget,
  authority: Authority,
): Result<ConnectTarget, ProxyError> {
  if (!isBoundTo(state, self, target.kind === 'workload' ? target.workload : target.service))
    return fail(notOurs(authority));
  if (target.kind === 'service' && !target.service.ports.has(target.port)) {
    const text = `requested service ${serviceKey(target.service)} has no port ${target.port}`;
    return fail(proxyError('NO_SERVICE_PORT', text));
  }
  return ok(target);
}

function notOurs({ text }: Authority): ProxyError {
  return proxyError('IP_MISMATCH', `${text} is not bound to this waypoint`);
}
