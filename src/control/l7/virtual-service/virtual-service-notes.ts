/** What a VirtualService says without effect (facts l7-and-control 1.1, 1.2, 1.4): for its author to see as status. */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { HttpRuleSpec, VirtualServiceSpec } from '../../../model/manifest/virtual-service-spec.ts';
import { excessRegex, TOO_MANY_REGEXES } from '../../../model/regex/regex-total.ts';
import { includesMesh } from '../../../model/validation/visibility-rules.ts';
import type { BuildContext } from '../../build-context.ts';
import { delegateOf, effectiveRules } from './delegated-rules.ts';
import { destinationNotes } from './destination-notes.ts';
import { unsupportedHeaders } from './header-changes.ts';
import { hostNotes } from './host-notes.ts';
import { isRedirectStatus } from './http-action.ts';
import { hasSourceLabels } from './source-match.ts';

const MAX_NOTES = 5;

/** Undefined when all is well. */
export function virtualServiceNote(context: BuildContext, object: VirtualServiceObject): string | undefined {
  const { spec } = object;
  const isDelegate = (spec.hosts ?? []).length === 0;
  // What is for gateways only may well name what waypoints do not know.
  if (!isDelegate && !includesMesh(spec.gateways ?? [])) return undefined;
  const notes = new Set([
    ...hostNotes(context, object),
    ...destinationNotes(context, object),
    ...matchNotes(spec),
    ...regexNotes(context, object),
    ...(spec.http ?? []).flatMap((rule, index) => ruleNotes(context.store, object, rule, `http[${index}]`)),
  ]);
  const shown = [...notes].slice(0, MAX_NOTES);
  if (notes.size > MAX_NOTES) shown.push(`and ${notes.size - MAX_NOTES} more`);
  return shown.length === 0 ? undefined : shown.join('; ');
}

/** The object alone is bounded by its validation; those that it delegates to come on top. */
function regexNotes({ store, mesh }: BuildContext, object: VirtualServiceObject): string[] {
  if (!(object.spec.http ?? []).some(({ delegate }) => delegate !== undefined)) return [];
  const rules = effectiveRules(store, mesh, object);
  const [first] = excessRegex(rules.map(({ rule }) => rule)) ?? [];
  const title = first === undefined ? undefined : rules[Number(first)]?.title;
  return title === undefined ? [] : [`has ${TOO_MANY_REGEXES}: from ${title} on its requests get 503`];
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
  const { route = [], delegate, redirect } = rule;
  const notes: string[] = [];
  for (const headers of [rule.headers, ...route.map((to) => to.headers)]) {
    for (const { name, reason } of unsupportedHeaders(headers)) {
      notes.push(`${place} leaves out the header ${name}: ${reason}`);
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
