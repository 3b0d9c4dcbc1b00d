/** Hosts of a VirtualService whose requests it does not route (facts l7-and-control 1.1, 4.5). */
import { meshParentKey, parentReference } from '../../../manifests/object-references.ts';
import { keyOf, objectTitle } from '../../../model/manifest/manifest-object.ts';
import { isRoute } from '../../../model/manifest/route-object.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { BuildContext } from '../../build-context.ts';
import { attachRoute, waypointNamespace } from '../route-attachment.ts';
import type { RuleTarget } from '../rule-targets.ts';
import { meantService } from './meant-service.ts';
import { destinationObject } from './route-destination.ts';
import { expandHost } from './route-hosts.ts';
import { seesVirtualService } from './virtual-service-selection.ts';

/** Patterns are passed over: to find what they cover, all services would have to be looked at. */
export function hostNotes(context: BuildContext, object: VirtualServiceObject): string[] {
  return (object.spec.hosts ?? []).flatMap((host) => (host.includes('*') ? [] : hostNote(context, object, host)));
}

function hostNote(context: BuildContext, object: VirtualServiceObject, host: string): string[] {
  const { store, mesh } = context;
  const { meta, spec } = object;
  const hostname = expandHost(mesh, meta.namespace, host);
  const target = destinationObject(store, mesh, meta.namespace, hostname);
  if (target !== undefined) return targetNotes(context, object, target);
  const meant = meantService(store, mesh, hostname);
  if (meant !== undefined) return [`host ${host} is not completed: write ${meant}`];
  // One that is for gateways as well may have hosts of theirs.
  const isForGateways = (spec.gateways ?? []).some((gateway) => gateway !== 'mesh');
  return isForGateways ? [] : [`host ${hostname} is no service of the mesh`];
}

function targetNotes(context: BuildContext, object: VirtualServiceObject, target: RuleTarget): string[] {
  const { namespace } = object.meta;
  const title = objectTitle(target.kind, target.meta.namespace, target.meta.name);
  const waypoint = waypointNamespace(context, target);
  if (waypoint === undefined) return [`${title} is not bound to a waypoint: its requests are not routed`];
  if (namespace !== target.meta.namespace && namespace !== waypoint) {
    return [`${title} takes VirtualServices only of its own namespace and of the namespace of its waypoint`];
  }
  if (!seesVirtualService(object, waypoint)) {
    return [`exportTo leaves out ${waypoint}, where the waypoint of ${title} is`];
  }
  return hidingRoutes(context, target).map((route) => `${route} of ${title} in its place`);
}

/** Routes of the Gateway API hold before VirtualServices: for all ports, or for those that they name. */
function hidingRoutes(context: BuildContext, target: RuleTarget): string[] {
  const { store } = context;
  const parentKey = keyOf(target);
  const ofPorts: string[] = [];
  for (const key of [...store.referrers(parentReference(parentKey))].sort()) {
    const route = store.getByKey(key);
    if (!isRoute(route)) continue;
    const title = objectTitle(route.kind, route.meta.namespace, route.meta.name);
    for (const ref of route.parents) {
      const attachment = meshParentKey(ref) === parentKey ? attachRoute(context, route, ref) : undefined;
      if (attachment?.kind !== 'attached') continue;
      if (attachment.port === 0) return [`${title} holds for the requests`];
      ofPorts.push(`${title} holds for port ${attachment.port}`);
    }
  }
  return ofPorts;
}
