/** Filters of a route, as messages name them. */
import { filtersOf } from '../../model/manifest/http-route.ts';
import type { RouteFilter } from '../../model/manifest/route-filters.ts';
import type { RouteObject } from '../../model/manifest/route-object.ts';

/** `<name> (rule <index>)` of the filters that `nameOf` names, each once; undefined leaves a filter out. */
export function filtersByRule(route: RouteObject, nameOf: (filter: RouteFilter) => string | undefined): string[] {
  if (route.kind === 'TCPRoute' || route.kind === 'TLSRoute') return [];
  const listed = new Set<string>();
  for (const [index, rule] of route.rules.entries()) {
    for (const filter of filtersOf(rule)) {
      const name = nameOf(filter);
      if (name !== undefined) listed.add(`${name} (rule ${index})`);
    }
  }
  return [...listed];
}
