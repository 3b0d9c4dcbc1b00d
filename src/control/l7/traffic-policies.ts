/** DestinationRules of a service (facts l7-and-control 2). */
import type { Service } from '../../model/service.ts';
import { TrafficPolicies } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { inheritedPolicies } from './policy-inheritance.ts';
import { type MergedRule, ServiceRules } from './rule-lookup.ts';

/** One for all waypoints, and one for each namespace of waypoints that says something of its own. */
export function buildTrafficPolicies({ destinationRules, mesh }: BuildContext, service: Service): TrafficPolicies[] {
  const { hostname, namespace } = service;
  const rules = new ServiceRules(destinationRules, hostname, namespace, mesh.rootNamespace);
  const forAll = rules.lookup(undefined);
  const common = forAll && policiesOf(service, '', forAll);
  const built = common === undefined ? [] : [common];
  for (const client of rules.clientNamespaces()) {
    const merged = rules.lookup(client);
    const own = merged && policiesOf(service, client, merged);
    if (own !== undefined && !saysTheSame(own, common)) built.push(own);
  }
  return built;
}

function policiesOf({ namespace, hostname }: Service, clientNamespace: string, rule: MergedRule): TrafficPolicies {
  return {
    namespace,
    hostname,
    clientNamespace,
    policies: inheritedPolicies(rule),
    subsets: rule.subsets.map(({ name, labels }) => ({ name, labels: new Map(labels) })),
  };
}

function saysTheSame(own: TrafficPolicies, common: TrafficPolicies | undefined): boolean {
  if (common === undefined) return false;
  const bytes = (policies: TrafficPolicies) => TrafficPolicies.encode({ ...policies, clientNamespace: '' }).finish();
  return Buffer.compare(bytes(own), bytes(common)) === 0;
}
