/** What a VirtualService says without effect (facts l7-and-control 1.1, 1.2, 1.4): for its author to see as status. */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import { destinationsOf } from '../../../manifests/virtual-service-index.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { HttpRuleSpec, VirtualServiceSpec } from '../../../model/manifest/virtual-service-spec.ts';
import { includesMesh } from '../../../model/validation/visibility-rules.ts';
import { type MeshOptions, serviceHostname } from '../../mesh-options.ts';
import { delegateOf } from './delegated-rules.ts';
import { unsupportedHeaders } from './header-changes.ts';
import { isRedirectStatus } from './http-action.ts';
import { needsClaims } from './http-match.ts';
import { resolveDestination } from './route-destination.ts';
import { expandHost } from './route-hosts.ts';
import { hasSourceLabels } from './source-match.ts';

const MAX_NOTES = 5;

/** Undefined when all is well. */
export function virtualServiceNote(
  store: ObjectStore,
  mesh: MeshOptions,
  object: VirtualServiceObject,
): string | undefined {
  const { spec } = object;
  const isDelegate = (spec.hosts ?? []).length === 0;
  // What is for gateways only may well name what waypoints do not know.
  if (!isDelegate && !includesMesh(spec.gateways ?? [])) return undefined;
  const notes = new Set([
    ...hostNotes(store, mesh, object),
    ...destinationNotes(store, mesh, object),
    ...matchNotes(spec),
    ...(spec.http ?? []).flatMap((rule, index) => ruleNotes(store, object, rule, `http[${index}]`)),
  ]);
  const shown = [...notes].slice(0, MAX_NOTES);
  if (notes.size > MAX_NOTES) shown.push(`and ${notes.size - MAX_NOTES} more`);
  return shown.length === 0 ? undefined : shown.join('; ');
}

function hostNotes(store: ObjectStore, mesh: MeshOptions, { meta, spec }: VirtualServiceObject): string[] {
  return (spec.hosts ?? []).flatMap((host) => {
    const meant = meantService(store, mesh, expandHost(mesh, meta.namespace, host));
    return meant === undefined ? [] : [`host ${host} is not completed: write ${meant}`];
  });
}

function destinationNotes(store: ObjectStore, mesh: MeshOptions, { meta, spec }: VirtualServiceObject): string[] {
  return destinationsOf(spec).flatMap((destination) => {
    if (resolveDestination(store, mesh, meta.namespace, destination) !== undefined) return [];
    const hostname = expandHost(mesh, meta.namespace, destination.host);
    const meant = meantService(store, mesh, hostname);
    if (meant !== undefined) return [`destination ${destination.host} is not completed: write ${meant}`];
    return [`destination ${hostname} is no service of the mesh: requests for it get 503`];
  });
}

/** The whole name of a service that was written as `reviews.prod` or `reviews.prod.svc`. */
function meantService(store: ObjectStore, mesh: MeshOptions, host: string): string | undefined {
  const [name = '', namespace = '', svc = 'svc', ...rest] = host.split('.');
  const service = svc === 'svc' && rest.length === 0 ? store.get('Service', namespace, name) : undefined;
  if (service === undefined || service.type === 'ExternalName') return undefined;
  for (const _entry of store.serviceEntriesOf(host)) return undefined;
  return serviceHostname(mesh, namespace, name);
}

function matchNotes({ http = [], tls = [], tcp = [] }: VirtualServiceSpec): string[] {
  return Object.entries({ http, tls, tcp }).flatMap(([list, rules]) =>
    rules.flatMap((rule, index) =>
      (rule.match ?? []).flatMap((match, item) =>
        hasSourceLabels(match)
          ? [`${list}[${index}].match[${item}] never holds: waypoints do not know the labels of clients`]
          : [],
      ),
    ),
  );
}

function ruleNotes(store: ObjectStore, object: VirtualServiceObject, rule: HttpRuleSpec, place: string): string[] {
  const { match = [], route = [], delegate, redirect } = rule;
  const notes = match.flatMap((condition, item) =>
    needsClaims(condition) ? [`${place}.match[${item}] never holds: waypoints do not match claims of tokens`] : [],
  );
  for (const headers of [rule.headers, ...route.map((to) => to.headers)]) {
    for (const name of unsupportedHeaders(headers)) {
      notes.push(`${place} leaves out the header ${name}: its value has a command operator`);
    }
  }
  if (delegate !== undefined && delegateOf(store, object, delegate) === undefined) {
    notes.push(
      `${place} delegates to ${delegate.namespace || object.meta.namespace}/${delegate.name}, which is not there`,
    );
  }
  if (redirect !== undefined && !isRedirectStatus(redirect)) {
    notes.push(`${place} does not redirect with ${redirect.redirectCode}: its requests get 503`);
  }
  return notes;
}
