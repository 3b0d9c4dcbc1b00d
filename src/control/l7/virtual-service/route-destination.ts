/** The service that a destination names (facts l7-and-control 1.1, 1.2). */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import type { ServiceObject } from '../../../model/manifest/kubernetes-service.ts';
import type { ServiceEntryObject } from '../../../model/manifest/service-entry.ts';
import type { DestinationSpec, HttpRuleSpec, RouteSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { Backend } from '../../../proto/gen/ambit.ts';
import type { MeshOptions } from '../../mesh-options.ts';
import { expandHost, serviceOfHost } from './route-hosts.ts';

/** Undefined where the mesh has no such service. @param namespace of whoever wrote it */
export function resolveDestination(
  store: ObjectStore,
  mesh: MeshOptions,
  namespace: string,
  { host, port, subset = '' }: DestinationSpec,
): Backend | undefined {
  const hostname = expandHost(mesh, namespace, host);
  const owner = destinationObject(store, mesh, namespace, hostname)?.meta.namespace;
  return owner === undefined ? undefined : { namespace: owner, hostname, port: port?.number ?? 0, subset };
}

/** Where several namespaces have the host: the one that was written in, else the first by name. */
export function destinationObject(
  store: ObjectStore,
  mesh: MeshOptions,
  namespace: string,
  hostname: string,
): ServiceObject | ServiceEntryObject | undefined {
  const named = serviceOfHost(mesh, hostname);
  const service = named === undefined ? undefined : store.get('Service', named.namespace, named.name);
  // An ExternalName is an alias in DNS, not a service of the feed.
  if (service !== undefined && service.type !== 'ExternalName') return service;
  const entries = store.serviceEntriesOf(hostname);
  const own = entries.find(({ meta }) => meta.namespace === namespace);
  if (own !== undefined) return own;
  const [first] = entries.map(({ meta }) => meta.namespace).sort();
  return entries.find(({ meta }) => meta.namespace === first);
}

/** The rule with destinations that mean the same wherever the rule is merged into. */
export function withWholeHosts(mesh: MeshOptions, namespace: string, rule: HttpRuleSpec): HttpRuleSpec {
  const whole = (to: DestinationSpec): DestinationSpec => ({ ...to, host: expandHost(mesh, namespace, to.host) });
  const { route, mirror, mirrors } = rule;
  return {
    ...rule,
    ...(route && { route: route.map((to): RouteSpec => ({ ...to, destination: whole(to.destination) })) }),
    ...(mirror && { mirror: whole(mirror) }),
    ...(mirrors && { mirrors: mirrors.map((copy) => ({ ...copy, destination: whole(copy.destination) })) }),
  };
}
