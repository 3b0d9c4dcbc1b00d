/** Routes of the Gateway API and what they lead to, for tests of the control plane. */
import { DEFAULT_MESH_OPTIONS } from '../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../src/control/model-builder.ts';
import { ObjectStore } from '../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../src/model/manifest/read-object.ts';
import { SERVICE_ROUTES_TYPE } from '../../src/model/waypoint-feed.ts';
import { type HttpForward, type PortRoutes, ServiceRoutes } from '../../src/proto/gen/ambit.ts';
import { object, service } from './manifests.ts';

type Json = Record<string, unknown>;

export const GATEWAY_API = 'gateway.networking.k8s.io';

export function parseObject(raw: unknown): ManifestObject {
  const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  return reading.object;
}

/** A parentRef to a Service. */
export function toService(name: string, fields: Json = {}): Json {
  return { group: '', kind: 'Service', name, ...fields };
}

export function httpRoute(name: string, parent: Json, rules: unknown, meta: Json = {}): Json {
  return object(`${GATEWAY_API}/v1`, 'HTTPRoute', name, { parentRefs: [parent], rules }, meta);
}

/** A ReferenceGrant of a namespace for HTTPRoutes of another. */
export function referenceGrant(namespace: string, from: string, to: Json = {}): Json {
  const spec = {
    from: [{ group: GATEWAY_API, kind: 'HTTPRoute', namespace: from }],
    to: [{ group: '', kind: 'Service', ...to }],
  };
  return object(`${GATEWAY_API}/v1beta1`, 'ReferenceGrant', 'grant', spec, { namespace });
}

/** A Service whose waypoint is `wp`. */
export function boundService(name: string, spec: Json = {}, meta: Json = {}): unknown {
  return service(name, spec, { labels: { 'istio.io/use-waypoint': 'wp' }, ...meta });
}

export const WAYPOINT = object(`${GATEWAY_API}/v1`, 'Gateway', 'wp', {
  gatewayClassName: 'istio-waypoint',
  listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
});

/** A mesh of objects in the namespace `demo` with a waypoint. */
export class RouteMesh {
  readonly store = new ObjectStore();
  readonly model: ModelBuilder;

  constructor(objects: readonly unknown[]) {
    this.add(WAYPOINT, ...objects);
    this.model = new ModelBuilder(this.store, DEFAULT_MESH_OPTIONS);
  }

  add(...objects: readonly unknown[]): void {
    this.store.apply(objects.map(parseObject), []);
  }

  remove(raw: unknown): void {
    this.store.apply([], [keyOf(parseObject(raw))]);
  }

  /** The routes of a service of `demo`, by host name or short name; none when it has none. */
  ports(name: string): PortRoutes[] {
    const host = name.includes('.') ? name : `${name}.demo.svc.cluster.local`;
    const resource = this.model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get(`demo/${host}`);
    return resource === undefined ? [] : ServiceRoutes.decode(resource.value).ports;
  }

  /** The names of the HTTP routes of a port, in their order. @param clients their namespace; empty for all */
  names(name: string, port = 0, clients = ''): string[] {
    const routes = this.ports(name).find((entry) => entry.port === port && entry.clientNamespace === clients);
    return (routes?.http ?? []).map((route) => route.name);
  }

  /** What the first HTTP route of a service does with requests; throws when it does not forward them. */
  forward(name: string): HttpForward {
    const action = this.ports(name)[0]?.http[0]?.action;
    if (action?.$case !== 'forward') throw new Error(`not forwarded: ${action?.$case}`);
    return action.forward;
  }
}
