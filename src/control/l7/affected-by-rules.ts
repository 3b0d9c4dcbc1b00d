/** What a change means for DestinationRules and what they are about: enough to build again, and not everything. */
import type { ObjectChange, ObjectStore } from '../../manifests/object-store.ts';
import type { DestinationRuleObject } from '../../model/manifest/destination-rule.ts';
import { keyOf } from '../../model/manifest/manifest-object.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import { addSelected } from '../affected-objects.ts';
import type { BuildContext } from '../build-context.ts';
import { serviceHostname } from '../mesh-options.ts';
import { labelsAskedFor, priorityLabelsOf } from './rule-labels.ts';
import { type RuleTarget, ruleTargets } from './rule-targets.ts';

/** Adds keys to `affected`: the services of a changed rule, their endpoints where it asks for other labels, and the rules of a changed service. */
export function collectAffectedByRules(context: BuildContext, change: ObjectChange, affected: Set<string>): void {
  const { before, after } = change;
  const object = after ?? before;
  if (object?.kind === 'DestinationRule') {
    addTargets(context, ruleOf(before), ruleOf(after), affected);
  } else if (object?.kind === 'Secret' || object?.kind === 'ReferenceGrant') {
    // What is missing of its Secrets is said with the rule.
    for (const rule of context.destinationRules.withCredentials()) affected.add(keyOf(rule));
  } else if (object?.kind === 'Service' || object?.kind === 'ServiceEntry') {
    // Whether a rule has anything to act on is said with the rule.
    const old = hostsOf(context, before);
    const current = hostsOf(context, after);
    if (old.join(' ') !== current.join(' ')) addRules(context, [...old, ...current], affected);
  }
}

function hostsOf(context: BuildContext, object: ObjectChange['before']): readonly string[] {
  if (object?.kind === 'ServiceEntry') return object.hosts;
  return object?.kind === 'Service' ? [hostnameOf(context, object.meta)] : [];
}

function addTargets(
  context: BuildContext,
  before: DestinationRuleObject | undefined,
  after: DestinationRuleObject | undefined,
  affected: Set<string>,
): void {
  const { store, destinationRules } = context;
  const rules = [before, after].filter((rule) => rule !== undefined);
  const asksForOthers = differs(before, after, labelsAskedFor);
  for (const host of new Set(rules.map((rule) => destinationRules.hostOf(rule)))) {
    // Of several rules of one host, each says what the others leave of it.
    for (const rule of destinationRules.ofHost(host)) affected.add(keyOf(rule));
    for (const target of ruleTargets(context, host)) {
      affected.add(keyOf(target));
      if (asksForOthers) addEndpoints(store, target, affected);
    }
  }
  if (!differs(before, after, priorityLabelsOf)) return;
  for (const pod of store.all('Pod')) if (pod.meta.labels.has(GATEWAY_NAME_LABEL)) affected.add(keyOf(pod));
}

function addEndpoints(store: ObjectStore, target: RuleTarget, affected: Set<string>): void {
  const selector = target.kind === 'Service' ? target.selector : target.workloadSelector;
  if (selector !== undefined) addSelected(store, target.meta.namespace, [selector], affected);
}

function addRules({ destinationRules }: BuildContext, hosts: readonly string[], affected: Set<string>): void {
  for (const host of hosts) for (const rule of destinationRules.of(host)) affected.add(keyOf(rule));
}

function differs(
  before: DestinationRuleObject | undefined,
  after: DestinationRuleObject | undefined,
  labelsOf: (rule: DestinationRuleObject) => ReadonlySet<string>,
): boolean {
  const text = (rule: DestinationRuleObject | undefined) => (rule ? [...labelsOf(rule)].sort().join(' ') : '');
  const moved = before?.host !== after?.host && text(before) + text(after) !== '';
  return moved || text(before) !== text(after);
}

function ruleOf(object: ObjectChange['before']): DestinationRuleObject | undefined {
  return object?.kind === 'DestinationRule' ? object : undefined;
}

function hostnameOf({ mesh }: BuildContext, meta: { readonly namespace: string; readonly name: string }): string {
  return serviceHostname(mesh, meta.namespace, meta.name);
}
