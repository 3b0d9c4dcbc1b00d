/** What objects refer to, for the store's index: names of references, and the references of an object. */
import { type ManifestObject, objectKey } from '../model/manifest/manifest-object.ts';
import { backendsOf, isRoute, type RouteObject } from '../model/manifest/route-object.ts';
import type { BackendRef, ParentRef } from '../model/manifest/route-refs.ts';

const ISTIO_GROUP = 'networking.istio.io';

/** Of routes whose parent is the object with this key. */
export function parentReference(key: string): string {
  return `parent ${key}`;
}

/** Of routes that send requests to the object with this key. */
export function backendReference(key: string): string {
  return `backend ${key}`;
}

/** Of routes that name a host as their backend. */
export function hostBackendReference(host: string): string {
  return `backend host ${host}`;
}

/** Of routes with backends in a namespace that is not theirs. */
export function foreignReference(namespace: string): string {
  return `foreign ${namespace}`;
}

/** Of policies that target the object with this key. */
export function targetReference(key: string): string {
  return `target ${key}`;
}

/** Of ServiceEntries that have the host. */
export function hostReference(host: string): string {
  return `host ${host}`;
}

/** The key of a parent between services: a Service or ServiceEntry; undefined for gateways and others. */
export function meshParentKey({ group, kind, namespace, name }: ParentRef): string | undefined {
  if (group === '' && kind === 'Service') return objectKey(kind, namespace, name);
  return group === ISTIO_GROUP && kind === 'ServiceEntry' ? objectKey(kind, namespace, name) : undefined;
}

/** What a backend reference names: an object by its key, or a host; undefined for a kind that cannot be a backend. */
export function backendTarget({ group, kind, namespace, name }: BackendRef): BackendTarget | undefined {
  if (group === '' && kind === 'Service') return { kind, key: objectKey(kind, namespace, name) };
  if (group !== ISTIO_GROUP) return undefined;
  if (kind === 'ServiceEntry') return { kind, key: objectKey(kind, namespace, name) };
  return kind === 'Hostname' ? { kind, host: name.toLowerCase() } : undefined;
}

export type BackendTarget =
  | { readonly kind: 'Service' | 'ServiceEntry'; readonly key: string }
  | { readonly kind: 'Hostname'; readonly host: string };

/** Every reference of the object that is indexed. */
export function referencesOf(object: ManifestObject): ReadonlySet<string> {
  if (object.kind === 'ServiceEntry') return new Set(object.hosts.map(hostReference));
  if (object.kind === 'AuthorizationPolicy' || object.kind === 'RequestAuthentication') return policyReferences(object);
  return isRoute(object) ? routeReferences(object) : NOTHING;
}

type TargetingPolicy = Extract<ManifestObject, { readonly kind: 'AuthorizationPolicy' | 'RequestAuthentication' }>;

const NOTHING: ReadonlySet<string> = new Set();

/** What comes and goes with a waypoint is not among them: it changes everything. */
function policyReferences({ meta, targets }: TargetingPolicy): ReadonlySet<string> {
  if (targets === undefined) return NOTHING;
  return new Set(targets.map(({ kind, name }) => targetReference(objectKey(kind, meta.namespace, name))));
}

function routeReferences(route: RouteObject): Set<string> {
  const references = new Set<string>();
  for (const parent of route.parents) {
    const key = meshParentKey(parent);
    if (key !== undefined) references.add(parentReference(key));
  }
  for (const backend of backendsOf(route)) {
    const target = backendTarget(backend);
    if (target === undefined) continue;
    references.add(target.kind === 'Hostname' ? hostBackendReference(target.host) : backendReference(target.key));
    if (backend.namespace !== route.meta.namespace) references.add(foreignReference(backend.namespace));
  }
  return references;
}
