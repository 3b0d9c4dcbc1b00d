/** Where traffic goes: one destination, and shares among several (facts l7-and-control 1.2). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { isNamespaceName } from '../manifest/object-meta.ts';
import { hostProblem } from './host-rules.ts';
import { checkPort, numberOf, quoted } from './value-rules.ts';

export function checkDestination(destination: FieldReader): void {
  const host = destination.string('host') ?? '';
  if (host === '*') destination.report('host', '"*" is no destination: name the service');
  else {
    const problem = host === '' ? undefined : hostProblem(host);
    if (problem !== undefined) destination.report('host', problem);
  }
  const subset = destination.string('subset') ?? '';
  if (subset !== '' && !isNamespaceName(subset)) destination.report('subset', `${quoted(subset)} is not a DNS label`);
  const port = destination.child('port');
  if (port.isPresent && !port.has('number')) port.report('number', 'is required');
  checkPort(port, 'number');
}

/** Of one destination the weight does not matter; among several the sum must not be 0. */
export function checkWeightedRoutes(rule: FieldReader): readonly FieldReader[] {
  const routes = rule.children('route');
  let sum = 0;
  for (const route of routes) {
    const weight = numberOf(route, 'weight') ?? 0;
    if (weight < 0) route.report('weight', `must not be negative, is ${weight}`);
    sum += weight;
    checkDestination(route.child('destination'));
  }
  if (routes.length > 1 && sum === 0) rule.report('route', 'the weights of several destinations must not all be 0');
  return routes;
}
