/** Which VirtualServices speak for a service at its waypoint, and in which order (facts l7-and-control 1.1). */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import { compareAge, compareTexts } from '../../../model/manifest/object-order.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { Service } from '../../../model/service.ts';
import { includesMesh } from '../../../model/validation/visibility-rules.ts';
import type { BuildContext } from '../../build-context.ts';
import { isExportedTo } from '../export-visibility.ts';
import { coveringHosts } from './route-hosts.ts';

/** Those of the service's namespace and the waypoint's, oldest first. */
export function virtualServicesOf({ store, mesh }: BuildContext, service: Service): VirtualServiceObject[] {
  const waypointNamespace = waypointNamespaceOf(store, service);
  const found = new Set<VirtualServiceObject>();
  for (const namespace of new Set([service.namespace, waypointNamespace])) {
    for (const host of coveringHosts(mesh, namespace, service.hostname.toLowerCase())) {
      for (const object of store.virtualServices.ofHost(namespace, host)) {
        const isForMesh = includesMesh(object.spec.gateways ?? []);
        if (isForMesh && seesVirtualService(object, waypointNamespace)) found.add(object);
      }
    }
  }
  return [...found].sort(byAge);
}

/** Whether the namespace sees the object. */
export function seesVirtualService({ meta, spec }: VirtualServiceObject, namespace: string): boolean {
  return isExportedTo(spec.exportTo ?? [], meta.namespace, namespace);
}

/** A waypoint without a Service is known by its address only, which its Gateway has. */
export function waypointNamespaceOf(store: ObjectStore, { waypoint, namespace }: Service): string {
  const destination = waypoint?.destination;
  if (destination?.kind === 'hostname') return destination.hostname.namespace;
  for (const gateway of store.all('Gateway')) {
    if (gateway.addresses.some(({ value }) => value === destination?.address.address)) return gateway.meta.namespace;
  }
  return namespace;
}

function byAge({ meta: a }: VirtualServiceObject, { meta: b }: VirtualServiceObject): number {
  return compareAge(a, b) || compareTexts(a.name, b.name) || compareTexts(a.namespace, b.namespace);
}
