/** Conditions as they stand with those that are wanted in their place. */
import type { Observed, ObservedCondition } from './observed-conditions.ts';
import type { WantedConditions } from './wanted-conditions.ts';

/** The time of a transition, in whole seconds as API servers keep it. */
export function conditionTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** What is there with what is wanted in its place; undefined when nothing differs. */
export function mergeConditions(
  observed: Pick<Observed, 'conditions' | 'generation'>,
  wanted: WantedConditions,
  now: string,
): ObservedCondition[] | undefined {
  const merged = observed.conditions.filter(({ type }) => !wanted.has(type));
  let differs = false;
  for (const [type, want] of wanted) {
    const current = observed.conditions.find((condition) => condition.type === type);
    if (want === undefined) {
      differs ||= current !== undefined;
      continue;
    }
    const same =
      current?.status === want.status &&
      current.reason === want.reason &&
      current.message === want.message &&
      Number(current['observedGeneration'] ?? 0) === observed.generation;
    differs ||= !same;
    const lastTransitionTime = current?.status === want.status ? (current['lastTransitionTime'] ?? now) : now;
    merged.push({ type, ...want, observedGeneration: observed.generation, lastTransitionTime });
  }
  return differs ? merged : undefined;
}
