/** Which objects have to be built again when one changed: enough, and not everything. */

import type { ObjectChange, ObjectStore } from '../manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../model/manifest/manifest-object.ts';
import { type Labels, selectorMatches } from '../model/manifest/object-meta.ts';
import { collectAffectedByRoutes } from './affected-by-routes.ts';
import { addAffectedByRoutes } from './l7/virtual-service/affected-services.ts';
import type { MeshOptions } from './mesh-options.ts';

/** Adds the keys of affected objects to `affected`. @returns false when everything is affected */
export function collectAffected(
  store: ObjectStore,
  mesh: MeshOptions,
  change: ObjectChange,
  affected: Set<string>,
): boolean {
  const object = change.after ?? change.before;
  if (object === undefined) return true;
  affected.add(change.key);
  collectAffectedByRoutes(store, mesh, change, affected);
  addAffectedByRoutes(store, mesh, change, affected);
  const { namespace, name } = object.meta;
  switch (object.kind) {
    case 'Service':
      addSelected(store, namespace, selectorsOf(change), affected);
      for (const slice of store.inNamespace('EndpointSlice', namespace)) {
        if (slice.service === name) affected.add(keyOf(slice));
      }
      // Whether a waypoint is named by host or by address depends on its Service.
      return isStableService(change) || store.get('Gateway', namespace, name) === undefined;
    case 'ServiceEntry':
      addSelected(store, namespace, selectorsOf(change), affected);
      return true;
    case 'AuthorizationPolicy':
    case 'PeerAuthentication':
      if (namespace === mesh.rootNamespace) return false;
      addNamespace(store, namespace, affected);
      return true;
    case 'Namespace':
      addNamespace(store, name, affected);
      return true;
    case 'Node':
      for (const pod of store.podsOnNode(name)) affected.add(keyOf(pod));
      for (const slice of store.all('EndpointSlice')) affected.add(keyOf(slice));
      return true;
    case 'Telemetry':
      // Only one of them counts for a whole namespace.
      for (const other of store.inNamespace('Telemetry', namespace)) affected.add(keyOf(other));
      return true;
    case 'Gateway':
      return false;
    case 'GatewayClass':
      return waypointForOf(change.before) === waypointForOf(change.after);
    default:
      return true;
  }
}

function waypointForOf(object: ManifestObject | undefined): string | undefined {
  return object?.kind === 'GatewayClass' ? object.waypointFor : undefined;
}

function isStableService(change: ObjectChange): boolean {
  return change.before !== undefined && change.after !== undefined;
}

function selectorsOf(change: ObjectChange): Labels[] {
  return [selectorOf(change.before), selectorOf(change.after)].filter((selector) => selector !== undefined);
}

function selectorOf(object: ManifestObject | undefined): Labels | undefined {
  if (object?.kind === 'Service') return object.selector;
  return object?.kind === 'ServiceEntry' ? object.workloadSelector : undefined;
}

/** Adds what one of the selectors may choose in a namespace. */
export function addSelected(
  store: ObjectStore,
  namespace: string,
  selectors: readonly Labels[],
  affected: Set<string>,
): void {
  if (selectors.length === 0) return;
  for (const pod of store.inNamespace('Pod', namespace)) {
    if (selectors.some((selector) => selectorMatches(selector, pod.meta.labels))) affected.add(keyOf(pod));
  }
  for (const entry of store.inNamespace('WorkloadEntry', namespace)) affected.add(keyOf(entry));
}

const IN_NAMESPACE = ['Pod', 'WorkloadEntry', 'Service', 'ServiceEntry', 'PeerAuthentication'] as const;

function addNamespace(store: ObjectStore, namespace: string, affected: Set<string>): void {
  for (const kind of IN_NAMESPACE) for (const object of store.inNamespace(kind, namespace)) affected.add(keyOf(object));
}
