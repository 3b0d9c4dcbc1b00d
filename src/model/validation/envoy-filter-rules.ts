/** The semantic rules of EnvoyFilter, as far as they can be told without Envoy (facts l7-and-control 6.3, 9.4). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { checkLabels } from './value-rules.ts';

const LISTENER = 'listener';
const ROUTE = 'routeConfiguration';
/** Which object a patch matches, by what it is applied to; others match none. */
const OBJECTS: Readonly<Record<string, string>> = {
  LISTENER,
  FILTER_CHAIN: LISTENER,
  NETWORK_FILTER: LISTENER,
  HTTP_FILTER: LISTENER,
  LISTENER_FILTER: LISTENER,
  ROUTE_CONFIGURATION: ROUTE,
  VIRTUAL_HOST: ROUTE,
  HTTP_ROUTE: ROUTE,
  CLUSTER: 'cluster',
};

export function checkEnvoyFilter(spec: FieldReader): void {
  checkLabels(spec.child('workloadSelector').child('labels'));
  for (const entry of spec.children('configPatches')) checkPatch(entry);
}

function checkPatch(entry: FieldReader): void {
  const applyTo = entry.string('applyTo') ?? 'INVALID';
  if (applyTo === 'INVALID') entry.report('applyTo', 'is required');
  const match = entry.child('match');
  const object = Object.hasOwn(OBJECTS, applyTo) ? OBJECTS[applyTo] : undefined;
  for (const name of [LISTENER, ROUTE, 'cluster']) {
    if (object !== undefined && name !== object && match.has(name)) {
      match.report(name, `cannot be matched for ${applyTo}: ${object} can`);
    }
  }
  const patch = entry.child('patch');
  if (!patch.isPresent) entry.report('patch', 'is required');
  else if ((patch.raw('operation') ?? 'INVALID') === 'INVALID') patch.report('operation', 'is required');
  else if (patch.raw('operation') !== 'REMOVE' && !patch.has('value')) patch.report('value', 'is required');
}
