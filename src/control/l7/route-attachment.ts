/**
 * Which parents between services take a route (facts l7-and-control 4.3, 4.5): a Service or ServiceEntry that exists,
 * with the port that is named. A route of its namespace, or of its waypoint's, is for all clients (a producer's); one of
 * any other namespace is for the clients of that namespace only (a consumer's).
 */
import { meshParentKey } from '../../manifests/object-references.ts';
import type { ManifestObject } from '../../model/manifest/manifest-object.ts';
import { objectTitle } from '../../model/manifest/manifest-object.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';
import type { ParentRef } from '../../model/manifest/route-refs.ts';
import type { BuildContext } from '../build-context.ts';
import { bindWaypoint } from '../waypoint-binding.ts';

export type RouteLookup = Pick<BuildContext, 'store' | 'mesh'>;

export type RouteAttachment =
  | {
      readonly kind: 'attached';
      /** 0 for all. */
      readonly port: number;
      /** Whose requests it is for; empty for those of all. */
      readonly clientNamespace: string;
    }
  | { readonly kind: 'refused'; readonly reason: 'NoMatchingParent'; readonly message: string };

type Parent = Extract<ManifestObject, { readonly kind: 'Service' | 'ServiceEntry' }>;

/** Undefined when the parent is not between services, and so not looked at here. */
export function attachRoute(lookup: RouteLookup, route: RouteObject, ref: ParentRef): RouteAttachment | undefined {
  const key = meshParentKey(ref);
  if (key === undefined) return undefined;
  const title = objectTitle(ref.kind, ref.namespace, ref.name);
  const parent = lookup.store.getByKey(key);
  if (parent?.kind !== 'Service' && parent?.kind !== 'ServiceEntry') {
    return refused(`${title} does not exist`);
  }
  const port = portOf(parent, ref);
  if (port === undefined) return refused(`${title} has no port ${portText(ref)}`);
  const { namespace } = route.meta;
  const isForAll = namespace === ref.namespace || namespace === waypointNamespace(lookup, parent);
  return { kind: 'attached', port, clientNamespace: isForAll ? '' : namespace };
}

/** The namespace of the waypoint that takes requests to a parent; undefined without one. */
export function waypointNamespace({ store, mesh }: RouteLookup, { meta }: Parent): string | undefined {
  const { code, asked } = bindWaypoint(store, mesh, meta, meta.labels, 'service');
  return code === 'WaypointAccepted' ? asked?.split('/', 1)[0] : undefined;
}

function portOf(parent: Parent, { port, sectionName }: ParentRef): number | undefined {
  if (port === undefined && sectionName === undefined) return 0;
  const ports = parent.kind === 'Service' ? parent.ports.filter(({ protocol }) => protocol === 'TCP') : parent.ports;
  for (const candidate of ports) {
    const number = 'number' in candidate ? candidate.number : candidate.port;
    if ((port ?? number) === number && (sectionName ?? candidate.name) === candidate.name) return number;
  }
  return undefined;
}

function portText({ port, sectionName }: ParentRef): string {
  return [port, sectionName === undefined ? undefined : `"${sectionName}"`]
    .filter((part) => part !== undefined)
    .join(' ');
}

function refused(message: string): RouteAttachment {
  return { kind: 'refused', reason: 'NoMatchingParent', message };
}
