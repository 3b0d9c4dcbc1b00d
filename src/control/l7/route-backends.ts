/** The backends that routes name, as services of the feed (facts l7-and-control 4.4). */
import { backendTarget, hostReference } from '../../manifests/object-references.ts';
import { type ManifestObject, objectTitle } from '../../model/manifest/manifest-object.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { BackendRef, ParentRef } from '../../model/manifest/route-refs.ts';
import type { Backend } from '../../proto/gen/ambit.ts';
import { serviceHostname } from '../mesh-options.ts';
import { attachRoute, type RouteLookup } from './route-attachment.ts';

export type BackendReading =
  | { readonly kind: 'found'; readonly backend: Backend }
  | {
      readonly kind: 'missing';
      readonly reason: 'InvalidKind' | 'RefNotPermitted' | 'BackendNotFound';
      readonly message: string;
    };

type BackendObject = Extract<ManifestObject, { readonly kind: 'Service' | 'ServiceEntry' }>;

type ObjectRef = Pick<BackendRef, 'group' | 'kind' | 'namespace' | 'name'>;

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** Whether another namespace lets itself be referred to is looked at first: what is there is not for everyone to know. */
export function findBackend(lookup: RouteLookup, route: RouteObject, ref: BackendRef): BackendReading {
  const target = backendTarget(ref);
  if (target === undefined) {
    const kind = ref.group === '' ? ref.kind : `${ref.group}/${ref.kind}`;
    return missing('InvalidKind', `${kind} ${ref.name} cannot be a backend: Service, ServiceEntry and Hostname can`);
  }
  const title = target.kind === 'Hostname' ? `host ${target.host}` : objectTitle(ref.kind, ref.namespace, ref.name);
  if (target.kind !== 'Hostname' && !isPermitted(lookup, route, ref)) return notPermitted(ref.namespace, title);
  const object =
    target.kind === 'Hostname'
      ? ownerOfHost(lookup, route.meta.namespace, target.host)
      : lookup.store.getByKey(target.key);
  if (object?.kind !== 'Service' && object?.kind !== 'ServiceEntry') {
    return missing('BackendNotFound', `${title} does not exist`);
  }
  if (isForOwnClients(lookup, route)) {
    if (!isBesideParents(route, object)) return notBesideParents(title);
    // What a host name stands for is led to with the consent that the object itself needs.
    if (target.kind === 'Hostname' && !isPermitted(lookup, route, referenceTo(object))) {
      return notPermitted(object.meta.namespace, title);
    }
  }
  if (object.kind === 'Service' && object.type === 'ExternalName') {
    return missing('BackendNotFound', `${title} is of type ExternalName, which the mesh does not know`);
  }
  if (!hasPort(object, ref.port)) return missing('BackendNotFound', `${title} has no port ${ref.port}`);
  const hostname = target.kind === 'Hostname' ? target.host : hostnameOf(lookup, object);
  const { namespace } = object.meta;
  return { kind: 'found', backend: { namespace, hostname, port: ref.port ?? 0, subset: '' } };
}

/**
 * The Service that clients of the route call anyhow, its parent, needs nobody's permission; one of several parents does:
 * policies of another judged the clients that call that one.
 */
function isPermitted({ store }: RouteLookup, route: RouteObject, ref: ObjectRef): boolean {
  const { namespace } = route.meta;
  if (ref.namespace === namespace || route.parents.every((parent) => isSameService(parent, ref))) return true;
  for (const { from, to } of store.inNamespace('ReferenceGrant', ref.namespace)) {
    const isFrom = from.some(
      (entry) => entry.group === GATEWAY_GROUP && entry.kind === route.kind && entry.namespace === namespace,
    );
    const isTo = to.some(
      ({ group, kind, name }) => group === ref.group && kind === ref.kind && (name ?? ref.name) === ref.name,
    );
    if (isFrom && isTo) return true;
  }
  return false;
}

/** Whether it is for the clients of its namespace at the waypoint of another. */
function isForOwnClients(lookup: RouteLookup, route: RouteObject): boolean {
  return route.parents.some((parent) => {
    const found = attachRoute(lookup, route, parent);
    return found?.kind === 'attached' && found.clientNamespace !== '';
  });
}

/**
 * The waypoint of another namespace connects from there, with an identity of there: to its own services only. Endpoints
 * elsewhere may be any address that somebody wrote down.
 */
function isBesideParents(route: RouteObject, { meta }: BackendObject): boolean {
  return route.parents.every((parent) => parent.namespace === meta.namespace);
}

function referenceTo({ kind, meta }: BackendObject): ObjectRef {
  const { namespace, name } = meta;
  return { group: kind === 'Service' ? '' : 'networking.istio.io', kind, namespace, name };
}

function isSameService(a: ParentRef, b: ObjectRef): boolean {
  return (
    a.kind === 'Service' && a.group === b.group && a.kind === b.kind && a.namespace === b.namespace && a.name === b.name
  );
}

/** The Service of that name, else a ServiceEntry: one of the route's namespace, else the first by name. */
function ownerOfHost({ store, mesh }: RouteLookup, namespace: string, host: string): ManifestObject | undefined {
  const suffix = `.svc.${mesh.clusterDomain}`;
  if (host.endsWith(suffix)) {
    const [name = '', ofNamespace = '', ...rest] = host.slice(0, -suffix.length).split('.');
    const service = rest.length === 0 ? store.get('Service', ofNamespace, name) : undefined;
    if (service !== undefined) return service;
  }
  const keys = [...store.referrers(hostReference(host))].sort();
  return store.getByKey(keys.find((key) => key.startsWith(`ServiceEntry/${namespace}/`)) ?? keys[0] ?? '');
}

function hasPort(object: BackendObject, port: number | undefined): boolean {
  if (port === undefined) return true;
  if (object.kind === 'ServiceEntry') return object.ports.some(({ number }) => number === port);
  return object.ports.some((candidate) => candidate.port === port && candidate.protocol === 'TCP');
}

function hostnameOf({ mesh }: RouteLookup, object: BackendObject): string {
  const { meta } = object;
  return object.kind === 'Service' ? serviceHostname(mesh, meta.namespace, meta.name) : (object.hosts[0] ?? '');
}

function notPermitted(namespace: string, title: string): BackendReading {
  return missing('RefNotPermitted', `no ReferenceGrant of namespace ${namespace} permits ${title} as a backend`);
}

function notBesideParents(title: string): BackendReading {
  const rule = 'a route for own clients leads to services of the namespace of its parent only';
  return missing('RefNotPermitted', `${rule}, and has ${title} as a backend`);
}

function missing(reason: Extract<BackendReading, { kind: 'missing' }>['reason'], message: string): BackendReading {
  return { kind: 'missing', reason, message };
}
