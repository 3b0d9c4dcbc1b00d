/** The Services and ServiceEntries that a DestinationRule is about, and what its author should know. */
import type { DestinationRuleObject } from '../../model/manifest/destination-rule.ts';
import type { ServiceObject } from '../../model/manifest/kubernetes-service.ts';
import type { ServiceEntryObject } from '../../model/manifest/service-entry.ts';
import type { BuildContext } from '../build-context.ts';
import { serviceHostname } from '../mesh-options.ts';
import { credentialNotes } from './credentials/waypoint-credentials.ts';
import { overruledParts } from './rule-lookup.ts';

export type RuleTarget = ServiceObject | ServiceEntryObject;

/** @param host in full, or a pattern: `*` and the end of a name */
export function* ruleTargets(context: BuildContext, host: string): Iterable<RuleTarget> {
  const { store, mesh } = context;
  const isPattern = host.startsWith('*');
  const covers = (name: string) => (isPattern ? name.endsWith(host.slice(1)) : name === host);
  if (isPattern) {
    for (const service of store.all('Service')) {
      if (covers(serviceHostname(mesh, service.meta.namespace, service.meta.name))) yield service;
    }
  } else {
    const [name = '', namespace = ''] = host.split('.', 2);
    const service = store.get('Service', namespace, name);
    if (service !== undefined && covers(serviceHostname(mesh, namespace, name))) yield service;
  }
  for (const entry of store.all('ServiceEntry')) if (entry.hosts.some(covers)) yield entry;
}

/** Why a rule, or a part of it, has no effect; undefined when all is well. */
export function ruleNote(context: BuildContext, rule: DestinationRuleObject): string | undefined {
  if (rule.selectsClients) return 'is for the pods that workloadSelector chooses: waypoints do not take it';
  const host = context.destinationRules.hostOf(rule);
  const [target] = ruleTargets(context, host);
  if (target === undefined) return `no service has the host ${host}`;
  const notes = overruledParts(context.destinationRules.ofHost(host), rule);
  notes.push(...credentialNotes(context, rule));
  if (rule.unused.length > 0) notes.push(`waypoints do not act on ${rule.unused.join(', ')}`);
  return notes.length === 0 ? undefined : notes.join('; ');
}
