/** What of a policy has no effect (facts l7-and-control 3.1, 3.3, 5.6): the text of its status, and what has no status. */
import type { ObjectStore } from '../manifests/object-store.ts';
import { buildWaypointPolicy, providerNote, type TargetedPolicy } from './l7/waypoint-policy.ts';
import type { MeshOptions } from './mesh-options.ts';
import { type WantedCondition, wantedConditions } from './wanted-conditions.ts';

/** Undefined when all is well. */
export function policyNote(store: ObjectStore, mesh: MeshOptions, policy: TargetedPolicy): string | undefined {
  const notes = [...classNotes(mesh, policy)];
  for (const condition of wantedConditions(store, mesh, policy).values()) {
    if (saysWrong(condition)) notes.push(condition.message);
  }
  if (policy.kind === 'AuthorizationPolicy') {
    const unasked = providerNote(policy, mesh);
    if (unasked !== undefined) notes.push(unasked);
  } else if (buildWaypointPolicy(policy, mesh) === undefined) {
    notes.push('nobody reads it: only waypoints check tokens, and they take it by targetRefs');
  }
  return notes.length === 0 ? undefined : notes.join('; ');
}

/** Only the root namespace speaks for a class. */
function* classNotes({ rootNamespace }: MeshOptions, { meta, targets = [] }: TargetedPolicy): Iterable<string> {
  if (meta.namespace === rootNamespace) return;
  for (const { kind, name } of targets) {
    if (kind === 'GatewayClass') yield `GatewayClass ${name} takes policies of ${rootNamespace} only`;
  }
}

/** A condition that holds in part has a message about the rest. */
function saysWrong(condition: WantedCondition | undefined): condition is WantedCondition {
  return condition !== undefined && (condition.status === 'False' || condition.reason === 'PartiallyInvalid');
}
