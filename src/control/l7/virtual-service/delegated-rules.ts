/** The rules of a VirtualService with those that it delegates to in place (facts l7-and-control 1.2, delegate). */
import type { ObjectStore } from '../../../manifests/object-store.ts';
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { DelegateSpec, HttpRuleSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { MeshOptions } from '../../mesh-options.ts';
import { joinedName, mergeMatches } from './delegated-matches.ts';
import { withWholeHosts } from './route-destination.ts';
import { seesVirtualService } from './virtual-service-selection.ts';

export interface EffectiveRule {
  readonly rule: HttpRuleSpec;
  /** Where it stands, `<namespace>/<name>[<index>]`. */
  readonly title: string;
}

/** A rule whose delegate is not there does nothing: its requests go to the rules after it. */
export function effectiveRules(store: ObjectStore, mesh: MeshOptions, root: VirtualServiceObject): EffectiveRule[] {
  return wholeRules(mesh, root).flatMap((own) => {
    const { delegate } = own.rule;
    if (delegate === undefined) return [own];
    const target = delegateOf(store, root, delegate);
    if (target === undefined) return [];
    return wholeRules(mesh, target).flatMap(({ rule, title }) => {
      const merged = mergeRules(own.rule, rule);
      return merged === undefined ? [] : [{ rule: merged, title }];
    });
  });
}

/** Undefined when it does not exist, has hosts of its own, or is not for the namespace of the one that asks. */
export function delegateOf(
  store: ObjectStore,
  root: VirtualServiceObject,
  { name = '', namespace }: DelegateSpec,
): VirtualServiceObject | undefined {
  const target = store.get('VirtualService', namespace || root.meta.namespace, name);
  const isDelegate = target !== undefined && (target.spec.hosts ?? []).length === 0;
  return isDelegate && seesVirtualService(target, root.meta.namespace) ? target : undefined;
}

function wholeRules(mesh: MeshOptions, { meta, spec }: VirtualServiceObject): EffectiveRule[] {
  return (spec.http ?? []).map((rule, index) => ({
    rule: withWholeHosts(mesh, meta.namespace, rule),
    title: `${meta.namespace}/${meta.name}[${index}]`,
  }));
}

/** What the delegate does not say is the root's; undefined where both can never match the same request. */
function mergeRules(root: HttpRuleSpec, leaf: HttpRuleSpec): HttpRuleSpec | undefined {
  // One level only, so that nobody can go round in circles.
  if (leaf.delegate !== undefined) return undefined;
  const match = mergeMatches(root.match ?? [], leaf.match ?? []);
  if (match === undefined) return undefined;
  const { delegate: _, ...inherited } = root;
  // Where copies go and how many is inherited together.
  const hasCopies = leaf.mirror !== undefined || leaf.mirrors !== undefined;
  const base = hasCopies ? withoutCopies(inherited) : inherited;
  return { ...base, ...leaf, name: joinedName(root.name, leaf.name), match };
}

function withoutCopies(rule: HttpRuleSpec): HttpRuleSpec {
  const { mirror: _1, mirrors: _2, mirrorPercent: _3, mirrorPercentage: _4, ...rest } = rule;
  return rest;
}
