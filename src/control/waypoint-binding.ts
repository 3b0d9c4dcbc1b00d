/**
 * Which waypoint an object's traffic goes through (facts ztunnel-wire 4.2, l7-and-control 5.1).
 *
 * Fails closed: a reference to a waypoint that does not exist, or that does not admit the object, becomes a destination
 * that resolves to nothing, so the proxy refuses the connection. Istio lets such traffic pass; `missingWaypoint: open`
 * does the same.
 */

import type { ObjectStore } from '../manifests/object-store.ts';
import { parseIpAddress } from '../model/address.ts';
import { type GatewayAddress, HBONE_PORT } from '../model/gateway-address.ts';
import { type GatewayObject, isWaypoint, type WaypointFor } from '../model/manifest/gateway.ts';
import { type Labels, type ObjectMeta, selectorMatches } from '../model/manifest/object-meta.ts';
import { parsePort } from '../model/port.ts';
import type { WeightedWaypoint } from '../model/service.ts';
import { GATEWAY_NAME_LABEL } from '../model/waypoint-objects.ts';
import type { ApplicationTunnel } from '../model/workload.ts';
import { type MeshOptions, serviceHostname } from './mesh-options.ts';

export type WaypointTraffic = 'service' | 'workload';

/** For status (facts l7-and-control 5.1). */
export type BindingCode = 'WaypointAccepted' | 'WaypointMissing' | 'AttachmentDenied' | 'UnsupportedTrafficType';

/** What became of an object's reference; the reason is undefined when all is well. */
export interface WaypointBinding {
  readonly waypoint: GatewayAddress | undefined;
  readonly reason: string | undefined;
  /** `<namespace>/<name>` of the waypoint that was asked for; undefined when none was. */
  readonly asked?: string;
  readonly code?: BindingCode;
}

const USE_WAYPOINT = 'istio.io/use-waypoint';
const INBOUND_BINDING = 'ambient.istio.io/waypoint-inbound-binding';
const NONE = 'none';
const UNBOUND: WaypointBinding = { waypoint: undefined, reason: undefined };

interface WaypointReference {
  readonly namespace: string;
  readonly name: string;
  /** Whether the object names it itself; otherwise its namespace does. */
  readonly own: boolean;
}

/** The waypoint of an object. */
export function bindWaypoint(
  store: ObjectStore,
  mesh: MeshOptions,
  meta: ObjectMeta,
  labels: Labels,
  traffic: WaypointTraffic,
): WaypointBinding {
  // Waypoints and gateways never go through a waypoint themselves.
  if (meta.labels.has(GATEWAY_NAME_LABEL)) return UNBOUND;
  const reference = findReference(store, meta.namespace, labels, USE_WAYPOINT);
  if (reference === undefined) return UNBOUND;
  const { namespace, name } = reference;
  return { ...resolve(store, mesh, meta.namespace, reference, traffic), asked: `${namespace}/${name}` };
}

/** The two waypoints of a service between which traffic is split; empty without a canary. */
export function bindCanary(
  store: ObjectStore,
  mesh: MeshOptions,
  meta: ObjectMeta,
  main: GatewayAddress | undefined,
): WeightedWaypoint[] {
  const reference = findReference(store, meta.namespace, meta.labels, `${USE_WAYPOINT}-canary`);
  if (reference === undefined || main === undefined) return [];
  const { waypoint } = resolve(store, mesh, meta.namespace, reference, 'service');
  const annotation = `${USE_WAYPOINT}-canary-weight`;
  const text =
    meta.annotations.get(annotation) ?? store.get('Namespace', '', meta.namespace)?.meta.annotations.get(annotation);
  const weight = Number(text);
  if (waypoint === undefined || !Number.isInteger(weight) || weight < 0 || weight > 100) return [];
  return [
    { destination: main, weight: 100 - weight },
    { destination: waypoint, weight },
  ];
}

/** How the pods of a waypoint want connections handed over; undefined for other pods. */
export function applicationTunnelOf(store: ObjectStore, meta: ObjectMeta): ApplicationTunnel | undefined {
  const name = meta.labels.get(GATEWAY_NAME_LABEL);
  const gateway = name === undefined ? undefined : store.get('Gateway', meta.namespace, name);
  const [protocol, portText = ''] = gateway?.meta.annotations.get(INBOUND_BINDING)?.split('/') ?? [];
  if (protocol !== 'PROXY') return undefined;
  return { protocol, port: parsePort(portText) };
}

function findReference(
  store: ObjectStore,
  namespace: string,
  labels: Labels,
  label: string,
): WaypointReference | undefined {
  const inherited = store.get('Namespace', '', namespace)?.meta.labels;
  const own = labels.has(label);
  const source = own ? labels : inherited;
  const name = source?.get(label);
  if (name === undefined || name === '' || name === NONE) return undefined;
  return { namespace: source?.get(`${label}-namespace`) ?? namespace, name, own };
}

function resolve(
  store: ObjectStore,
  mesh: MeshOptions,
  objectNamespace: string,
  reference: WaypointReference,
  traffic: WaypointTraffic,
): WaypointBinding {
  const { namespace, name, own } = reference;
  const gateway = store.get('Gateway', namespace, name);
  if (gateway === undefined || !isWaypoint(gateway)) {
    // Without the object its kind of traffic is unknown: the default is services, as for a waypoint that says nothing.
    if (traffic === 'workload' && !own) return UNBOUND;
    const hostname = serviceHostname(mesh, namespace, name);
    const reason = `waypoint ${namespace}/${name} does not exist`;
    return { ...refused(mesh, namespace, hostname, reason), code: 'WaypointMissing' };
  }
  const taken = trafficOf(store, gateway);
  if (taken !== traffic && taken !== 'all') {
    const reason = `waypoint ${namespace}/${name} takes ${taken} traffic, not ${traffic} traffic`;
    return { waypoint: undefined, reason: own ? reason : undefined, code: 'UnsupportedTrafficType' };
  }
  if (!admits(store, gateway, objectNamespace)) {
    const hostname = `${name}.${namespace}.not-admitted.invalid`;
    const reason = `waypoint ${namespace}/${name} does not admit namespace ${objectNamespace}`;
    return { ...refused(mesh, namespace, hostname, reason), code: 'AttachmentDenied' };
  }
  return { waypoint: destinationOf(store, mesh, gateway), reason: undefined, code: 'WaypointAccepted' };
}

/** Its own label, else that of its class, else services (facts l7-and-control 5.1). */
function trafficOf(store: ObjectStore, { waypointFor, className }: GatewayObject): WaypointFor {
  return waypointFor ?? store.get('GatewayClass', '', className)?.waypointFor ?? 'service';
}

function refused(mesh: MeshOptions, namespace: string, hostname: string, reason: string): WaypointBinding {
  if (mesh.missingWaypoint === 'open') return { waypoint: undefined, reason };
  return { waypoint: byHostname(namespace, hostname, HBONE_PORT), reason };
}

function admits(store: ObjectStore, gateway: GatewayObject, namespace: string): boolean {
  const same = gateway.meta.namespace === namespace;
  const listeners = gateway.listeners.filter(isHbone);
  if (listeners.length === 0) return same;
  return listeners.some((listener) => {
    if (listener.allowedFrom === 'All') return true;
    if (listener.allowedFrom === 'Same') return same;
    if (listener.allowedFrom === 'None') return false;
    const labels = store.get('Namespace', '', namespace)?.meta.labels;
    return labels !== undefined && selectorMatches(listener.namespaceSelector, labels);
  });
}

/** Its Service by name; the address of its status only where there is no such Service. */
function destinationOf(store: ObjectStore, mesh: MeshOptions, gateway: GatewayObject): GatewayAddress {
  const { namespace, name } = gateway.meta;
  const port = gateway.listeners.find(isHbone)?.port || HBONE_PORT;
  if (store.get('Service', namespace, name) === undefined) {
    for (const { type, value } of gateway.addresses) {
      const address = type === 'IPAddress' ? parseIpAddress(value) : undefined;
      if (address !== undefined) {
        return { destination: { kind: 'address', address: { network: mesh.network, address } }, hboneMtlsPort: port };
      }
      if (type === 'Hostname' && value !== '') return byHostname(namespace, value, port);
    }
  }
  return byHostname(namespace, serviceHostname(mesh, namespace, name), port);
}

function byHostname(namespace: string, hostname: string, hboneMtlsPort: number): GatewayAddress {
  return { destination: { kind: 'hostname', hostname: { namespace, hostname } }, hboneMtlsPort };
}

function isHbone(listener: GatewayObject['listeners'][number]): boolean {
  return listener.protocol === 'HBONE';
}
