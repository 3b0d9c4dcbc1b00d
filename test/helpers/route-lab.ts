/** A control plane with a service behind a waypoint, to see which routes come of VirtualServices. */
import assert from 'node:assert/strict';
import { DEFAULT_MESH_OPTIONS } from '../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../src/control/model-builder.ts';
import { ObjectStore } from '../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../src/model/manifest/read-object.ts';
import { SERVICE_ROUTES_TYPE } from '../../src/model/waypoint-feed.ts';
import { type HttpForward, type HttpRoute, type PortRoutes, ServiceRoutes } from '../../src/proto/gen/ambit.ts';
import { object, service } from './manifests.ts';

export const BOUND = { labels: { 'istio.io/use-waypoint': 'waypoint' } };
export const WEB = 'web.demo.svc.cluster.local';

/** The waypoint `waypoint` of a namespace. */
export function waypoint(namespace = 'demo'): unknown {
  return object(
    'gateway.networking.k8s.io/v1',
    'Gateway',
    'waypoint',
    {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
    },
    { namespace },
  );
}

export function virtualService(name: string, spec: unknown, meta: Record<string, unknown> = {}): unknown {
  return object('networking.istio.io/v1', 'VirtualService', name, spec, meta);
}

export function destinationRule(
  name: string,
  host: string,
  spec: object = {},
  meta: Record<string, unknown> = {},
): unknown {
  return object('networking.istio.io/v1', 'DestinationRule', name, { host, ...spec }, meta);
}

export function serviceEntry(name: string, hosts: readonly string[], meta: Record<string, unknown> = {}): unknown {
  const ports = [{ number: 443, name: 'tls', protocol: 'TLS' }];
  return object('networking.istio.io/v1', 'ServiceEntry', name, { hosts, ports, resolution: 'NONE' }, meta);
}

function parsed(raw: unknown): ManifestObject {
  const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
  assert.ok(reading.kind === 'accepted', JSON.stringify(reading));
  return reading.object;
}

/** The namespace `demo` with the services `web` (ports 80 and 8080, behind the waypoint) and `next`. */
export class RouteLab {
  readonly store = new ObjectStore();
  readonly model: ModelBuilder;

  constructor(...objects: readonly unknown[]) {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'admin', port: 8080 },
    ];
    this.add(waypoint(), service('web', { ports }, BOUND), service('next'), ...objects);
    this.model = new ModelBuilder(this.store, DEFAULT_MESH_OPTIONS);
  }

  /** With one VirtualService for `web`, `test`, that has these HTTP rules. */
  static withRules(...http: readonly object[]): RouteLab {
    return new RouteLab(virtualService('test', { hosts: ['web'], http }));
  }

  add(...objects: readonly unknown[]): void {
    this.store.apply(objects.map(parsed), []);
  }

  remove(...objects: readonly unknown[]): void {
    this.store.apply(
      [],
      objects.map((raw) => keyOf(parsed(raw))),
    );
  }

  ports(hostname = WEB, namespace = 'demo'): PortRoutes[] {
    const stored = this.model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get(`${namespace}/${hostname}`);
    return stored === undefined ? [] : ServiceRoutes.decode(stored.value).ports;
  }

  /** The HTTP routes of a port; of all ports by default. */
  http(port = 0, hostname = WEB, namespace = 'demo'): HttpRoute[] {
    return this.ports(hostname, namespace).find((entry) => entry.port === port)?.http ?? [];
  }

  note(name = 'test', namespace = 'demo'): string | undefined {
    return this.model.notes.get(`VirtualService/${namespace}/${name}`);
  }
}

export function forwardOf(route: HttpRoute | undefined): HttpForward {
  assert.ok(route?.action?.$case === 'forward', JSON.stringify(route));
  return route.action.forward;
}

/** `<hostname>[:<port>][/<subset>]=<weight>`; `none` for a service that is not there. */
export function backendsOf(route: HttpRoute | undefined): string[] {
  return forwardOf(route).backends.map(({ backend, weight }) => {
    if (backend === undefined) return `none=${weight}`;
    const port = backend.port === 0 ? '' : `:${backend.port}`;
    return `${backend.hostname}${port}${backend.subset === '' ? '' : `/${backend.subset}`}=${weight}`;
  });
}
