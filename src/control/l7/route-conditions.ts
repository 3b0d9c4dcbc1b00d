/** What routes say about their parents between services: status on Kubernetes, notes elsewhere (facts l7-and-control 4.3). */
import { backendsOf, type RouteObject } from '../../model/manifest/route-object.ts';
import type { ParentRef } from '../../model/manifest/route-refs.ts';
import type { WantedCondition, WantedConditions } from '../wanted-conditions.ts';
import { changingFilters } from './client-routes.ts';
import { filtersByRule } from './filters-by-rule.ts';
import { attachRoute, type RouteLookup } from './route-attachment.ts';
import { findBackend } from './route-backends.ts';
import { parentRemarks, unusedRemarks } from './route-remarks.ts';

export interface WantedParent {
  readonly parentRef: ParentRef['written'];
  readonly conditions: WantedConditions;
}

/** One entry for each parent that is ours to speak for. */
export function wantedParents(lookup: RouteLookup, route: RouteObject): WantedParent[] {
  const unsupported = unsupportedFilters(route);
  const ownCondition = unsupported === undefined ? FINE : refused('UnsupportedValue', unsupported);
  const parents = new Map<string, WantedParent>();
  for (const ref of route.parents) {
    const attachment = attachRoute(lookup, route, ref);
    if (attachment === undefined) continue;
    const accepted =
      attachment.kind === 'refused'
        ? refused(attachment.reason, attachment.message)
        : (changeRefused(route, attachment.clientNamespace) ?? ownCondition);
    parents.set(JSON.stringify(ref.written), {
      parentRef: ref.written,
      conditions: new Map([
        ['Accepted', accepted],
        ['ResolvedRefs', resolvedCondition(lookup, { ...route, parents: [ref] })],
      ]),
    });
  }
  return [...parents.values()];
}

/** Of a parent in another namespace, whose waypoint judged requests as their clients sent them. */
function changeRefused(route: RouteObject, clientNamespace: string): WantedCondition | undefined {
  const changing = clientNamespace === '' ? [] : changingFilters(route);
  if (changing.length === 0) return undefined;
  const message = `routes for the clients of ${clientNamespace} do not change requests: ${changing.join(', ')}`;
  return refused('UnsupportedValue', message);
}

/** Everything that is wrong with a route between services, in one line; undefined when all is well. */
export function routeNote(lookup: RouteLookup, route: RouteObject): string | undefined {
  const messages = new Set<string>();
  for (const { conditions } of wantedParents(lookup, route)) {
    for (const condition of conditions.values()) if (condition?.status === 'False') messages.add(condition.message);
  }
  for (const remark of [...parentRemarks(lookup, route), ...unusedRemarks(route)]) messages.add(remark);
  return messages.size === 0 ? undefined : [...messages].join('; ');
}

const FINE: WantedCondition = { status: 'True', reason: 'Accepted', message: 'Route was valid' };

function refused(reason: string, message: string): WantedCondition {
  return { status: 'False', reason, message };
}

/** The reason is that of the first reference; the message names them all. */
function resolvedCondition(lookup: RouteLookup, route: RouteObject): WantedCondition {
  const messages = new Set<string>();
  let first: string | undefined;
  for (const ref of backendsOf(route)) {
    const reading = findBackend(lookup, route, ref);
    if (reading.kind === 'found') continue;
    first ??= reading.reason;
    messages.add(reading.message);
  }
  if (first === undefined) {
    return { status: 'True', reason: 'ResolvedRefs', message: 'All references resolved' };
  }
  return refused(first, [...messages].join('; '));
}

function unsupportedFilters(route: RouteObject): string | undefined {
  const names = filtersByRule(route, (filter) => (filter.type === 'unsupported' ? filter.name : undefined));
  return names.length === 0 ? undefined : `these filters are not supported: ${names.join(', ')}`;
}
