/**
 * What a CONNECT request to this pod means: where the bytes go, or why not (facts ztunnel-wire 8.1, steps 2 to 8).
 *
 * Invariant: bytes only ever go to the pod's own address (or its loopback, for an application tunnel): a request for any
 * other address is refused before a socket is opened.
 */
import { fail, ok, type Result } from '../../base/result.ts';
import type { Authority } from '../../hbone/authority.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import { targetPortOf } from '../../mesh/endpoint-picker.ts';
import { findAddress, preferredService } from '../../mesh/find-service.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { isWaypointWorkload } from '../../mesh/waypoint-workload.ts';
import type { IpAddress } from '../../model/address.ts';
import { type Service, serviceKey } from '../../model/service.ts';
import type { Workload } from '../../model/workload.ts';

export interface InboundTarget {
  /** The application's port, before an application tunnel moves it. */
  readonly port: number;
  /** What the PROXY protocol header names as destination; undefined without an application tunnel. */
  readonly proxyDestination: { readonly address: string; readonly port: number } | undefined;
}

/** Decides whether the request is for this workload and which port it means. */
export function resolveInboundTarget(
  state: MeshState,
  network: string,
  local: Workload,
  localIp: IpAddress,
  authority: Authority,
): Result<InboundTarget, ProxyError> {
  if (authority.kind === 'hostname') return resolveHostname(state, network, local, authority.hostname, authority.port);
  const proxied = local.applicationTunnel?.protocol === 'PROXY';
  if (
    authority.ip !== localIp &&
    local.applicationTunnel === undefined &&
    !isWaypointFor(state, network, local, authority.ip)
  ) {
    return fail(proxyError('IP_MISMATCH', `ip mismatch: ${authority.ip} != ${localIp}`));
  }
  const destination = { address: authority.ip, port: authority.port };
  return ok({ port: authority.port, proxyDestination: proxied ? destination : undefined });
}

function resolveHostname(
  state: MeshState,
  network: string,
  local: Workload,
  hostname: string,
  port: number,
): Result<InboundTarget, ProxyError> {
  const proxied = local.applicationTunnel?.protocol === 'PROXY';
  const service = preferredService(state.servicesByHostname(hostname), local.namespace);
  if (service === undefined) {
    if (state.workloadsByHostname(hostname).length > 0 && !proxied) return ok({ port, proxyDestination: undefined });
    return fail(proxyError('UNKNOWN_HOSTNAME', `no service or workload for hostname: ${hostname}`));
  }
  const endpoint = state.endpoints(serviceKey(service)).get(local.uid);
  const targetPort = endpoint ? targetPortOf(endpoint, service, port) : service.ports.get(port) || undefined;
  if (targetPort === undefined && local.applicationTunnel?.port === undefined) {
    return fail(proxyError('NO_SERVICE_PORT', `requested service ${hostname}:${port} found, but cannot resolve port`));
  }
  if (!proxied) return ok({ port: targetPort ?? port, proxyDestination: undefined });
  const vip = proxyVip(service, network);
  if (vip === undefined) {
    return fail(proxyError('NO_SERVICE_ADDRESS', `requested service ${hostname} found, but has no IP addresses`));
  }
  return ok({ port: targetPort ?? port, proxyDestination: { address: vip, port } });
}

/** A VIP of the same network first, IPv4 first (facts 7.6). */
function proxyVip(service: Service, network: string): IpAddress | undefined {
  const here = service.vips.filter((vip) => vip.network === network);
  const candidates = here.length > 0 ? here : service.vips;
  return (candidates.find((vip) => !vip.address.includes(':')) ?? candidates[0])?.address;
}

/** Whether the address belongs to a workload or service that names this workload as its waypoint. */
function isWaypointFor(state: MeshState, network: string, local: Workload, ip: IpAddress): boolean {
  const owner = findAddress(state, network, ip, local.namespace);
  const waypoint = owner?.kind === 'service' ? owner.service.waypoint : owner?.workload.waypoint;
  return waypoint !== undefined && isWaypointWorkload(state, waypoint, local);
}

/** The service that telemetry names for an inbound connection (facts 11.1): the announced one if ours, else by port. */
export function guessService(
  state: MeshState,
  local: Workload,
  forwardedHost: string | undefined,
  port: number,
): Service | undefined {
  let byPort: Service | undefined;
  for (const [key, ports] of local.services) {
    const service = state.service(key);
    if (service === undefined) continue;
    if (service.hostname === forwardedHost) return service;
    if (byPort === undefined && [...ports.values()].includes(port)) byPort = service;
  }
  return byPort;
}
