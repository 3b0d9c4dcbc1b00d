/** Which services have other routes, and which VirtualServices other remarks, when an object changed. */
import type { ObjectChange, ObjectStore } from '../../../manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../../model/manifest/manifest-object.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import { HostPatterns } from '../../../model/validation/host-rules.ts';
import { type MeshOptions, serviceHostname } from '../../mesh-options.ts';
import { expandHost, serviceOfHost, writtenForms } from './route-hosts.ts';

/** Adds their keys to `affected`. */
export function addAffectedByRoutes(
  store: ObjectStore,
  mesh: MeshOptions,
  { before, after }: ObjectChange,
  affected: Set<string>,
): void {
  for (const object of [before, after]) {
    if (object?.kind === 'VirtualService') addVirtualService(store, mesh, object, affected);
  }
  const hosts = hostsThatChanged(mesh, before, after);
  for (const form of hosts.flatMap((host) => writtenForms(mesh, host))) {
    for (const object of store.virtualServices.mentioning(form)) addVirtualService(store, mesh, object, affected);
  }
}

/** It, what it is about, and those that delegate to it, as a delegate is about what they are. */
function addVirtualService(
  store: ObjectStore,
  mesh: MeshOptions,
  object: VirtualServiceObject,
  affected: Set<string>,
): void {
  const { namespace, name } = object.meta;
  for (const one of [object, ...store.virtualServices.rootsOf(namespace, name)]) {
    affected.add(keyOf(one));
    addServices(store, mesh, one, affected);
  }
}

function addServices(
  store: ObjectStore,
  mesh: MeshOptions,
  { meta, spec }: VirtualServiceObject,
  affected: Set<string>,
): void {
  const hosts = (spec.hosts ?? []).map((host) => expandHost(mesh, meta.namespace, host));
  const wildcards = hosts.filter((host) => host.startsWith('*'));
  for (const host of hosts) {
    const named = serviceOfHost(mesh, host);
    const service = named === undefined ? undefined : store.get('Service', named.namespace, named.name);
    if (service !== undefined) affected.add(keyOf(service));
    for (const entry of store.serviceEntriesOf(host)) affected.add(keyOf(entry));
  }
  if (wildcards.length === 0) return;
  const patterns = new HostPatterns(wildcards);
  for (const kind of ['Service', 'ServiceEntry'] as const) {
    for (const object of store.all(kind)) {
      if (hostsOf(mesh, object).some((host) => patterns.covers(host))) affected.add(keyOf(object));
    }
  }
}

/** Hosts that came or went: destinations that name them resolve differently now. */
function hostsThatChanged(
  mesh: MeshOptions,
  before: ManifestObject | undefined,
  after: ManifestObject | undefined,
): string[] {
  const old = hostsOf(mesh, before);
  const current = hostsOf(mesh, after);
  return [...old.filter((host) => !current.includes(host)), ...current.filter((host) => !old.includes(host))];
}

function hostsOf(mesh: MeshOptions, object: ManifestObject | undefined): readonly string[] {
  if (object?.kind === 'ServiceEntry') return object.hosts;
  if (object?.kind !== 'Service' || object.type === 'ExternalName') return [];
  return [serviceHostname(mesh, object.meta.namespace, object.meta.name)];
}
