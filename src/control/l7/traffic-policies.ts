/** DestinationRules of a service (facts l7-and-control 2). */
import type { Service } from '../../model/service.ts';
import { type ClientTls, TrafficPolicies } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import { inheritedPolicies } from './policy-inheritance.ts';
import { type MergedRule, ServiceRules } from './rule-lookup.ts';

/** One for all waypoints, and one for each namespace of waypoints that says something of its own. */
export function buildTrafficPolicies({ destinationRules, mesh }: BuildContext, service: Service): TrafficPolicies[] {
  const { hostname, namespace } = service;
  const rules = new ServiceRules(destinationRules, hostname, namespace, mesh.rootNamespace);
  const forAll = rules.lookup(undefined);
  const common = forAll && policiesOf(service, '', forAll, mesh.rootNamespace);
  const built = common === undefined ? [] : [common];
  for (const client of rules.clientNamespaces()) {
    const merged = rules.lookup(client);
    const own = merged && policiesOf(service, client, merged, mesh.rootNamespace);
    if (own !== undefined && !saysTheSame(own, common)) built.push(own);
  }
  return built;
}

function policiesOf(
  { namespace, hostname }: Service,
  clientNamespace: string,
  rule: MergedRule,
  rootNamespace: string,
): TrafficPolicies {
  return {
    namespace,
    hostname,
    clientNamespace,
    policies: inheritedPolicies(rule).map((policy) => ({ ...policy, tls: sharedFiles(policy.tls, rootNamespace) })),
    subsets: rule.subsets.map(({ name, labels }) => ({ name, labels: new Map(labels) })),
  };
}

/** Rules of the root namespace speak for all waypoints, also about files. */
function sharedFiles(tls: ClientTls | undefined, rootNamespace: string): ClientTls | undefined {
  if (tls?.files?.namespace !== rootNamespace) return tls;
  return { ...tls, files: { ...tls.files, namespace: '' } };
}

function saysTheSame(own: TrafficPolicies, common: TrafficPolicies | undefined): boolean {
  if (common === undefined) return false;
  const bytes = (policies: TrafficPolicies) => TrafficPolicies.encode({ ...policies, clientNamespace: '' }).finish();
  return Buffer.compare(bytes(own), bytes(common)) === 0;
}
