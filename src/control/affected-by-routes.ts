/** Which services and routes have to be built again when a route changed, or something that routes refer to. */
import {
  backendReference,
  foreignReference,
  hostBackendReference,
  meshParentKey,
  parentReference,
} from '../manifests/object-references.ts';
import type { ObjectChange, ObjectStore } from '../manifests/object-store.ts';
import type { ManifestObject } from '../model/manifest/manifest-object.ts';
import { isRoute } from '../model/manifest/route-object.ts';
import { type MeshOptions, serviceHostname } from './mesh-options.ts';

/** Adds the keys of affected objects to `affected`; of a change of a Namespace, the routes to what is in it. */
export function collectAffectedByRoutes(
  store: ObjectStore,
  mesh: MeshOptions,
  change: ObjectChange,
  affected: Set<string>,
): void {
  const { before, after } = change;
  addParents(before, affected);
  addParents(after, affected);
  switch ((after ?? before)?.kind) {
    case 'ReferenceGrant':
      addReferrers(store, foreignReference((after ?? before)?.meta.namespace ?? ''), affected);
      return;
    case 'Service':
    case 'ServiceEntry':
      addRoutesTo(store, change.key, affected);
      if (shapeOf(before) === shapeOf(after)) return;
      addReferrers(store, backendReference(change.key), affected);
      for (const host of new Set([...hostsOf(mesh, before), ...hostsOf(mesh, after)])) {
        addReferrers(store, hostBackendReference(host), affected);
      }
      return;
    case 'Namespace': {
      const name = (after ?? before)?.meta.name ?? '';
      for (const { meta } of store.inNamespace('Service', name)) {
        addRoutesTo(store, `Service/${name}/${meta.name}`, affected);
      }
      for (const { meta } of store.inNamespace('ServiceEntry', name)) {
        addRoutesTo(store, `ServiceEntry/${name}/${meta.name}`, affected);
      }
      return;
    }
    default:
      return;
  }
}

function addParents(object: ManifestObject | undefined, affected: Set<string>): void {
  if (!isRoute(object)) return;
  for (const parent of object.parents) {
    const key = meshParentKey(parent);
    if (key !== undefined) affected.add(key);
  }
}

/** The routes alone: what they say about their parent. */
function addRoutesTo(store: ObjectStore, parentKey: string, affected: Set<string>): void {
  for (const key of store.referrers(parentReference(parentKey))) affected.add(key);
}

/** Routes and the services that they are for. */
function addReferrers(store: ObjectStore, reference: string, affected: Set<string>): void {
  for (const key of store.referrers(reference)) {
    affected.add(key);
    addParents(store.getByKey(key), affected);
  }
}

/** What decides whether a reference to the object can be resolved, and to which service. */
function shapeOf(object: ManifestObject | undefined): string {
  if (object?.kind === 'Service') return JSON.stringify([object.type, object.ports]);
  return object?.kind === 'ServiceEntry' ? JSON.stringify([object.hosts, object.ports]) : '';
}

function hostsOf(mesh: MeshOptions, object: ManifestObject | undefined): readonly string[] {
  if (object?.kind === 'ServiceEntry') return object.hosts;
  return object?.kind === 'Service' ? [serviceHostname(mesh, object.meta.namespace, object.meta.name)] : [];
}
