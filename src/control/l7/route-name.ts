/** How routes are named for people: in access logs, metrics and explanations. */
import type { ObjectMeta } from '../../model/manifest/object-meta.ts';

/** `<namespace>.<name of the route>.<index of the rule>`. */
export function routeName({ namespace, name }: ObjectMeta, ruleIndex: number): string {
  return `${namespace}.${name}.${ruleIndex}`;
}
