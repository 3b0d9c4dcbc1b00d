/** `status.parents` of routes (facts l7-and-control 4.3): entries of ours as wanted, those of others as they are. */
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import type { WantedParent } from './l7/route-conditions.ts';
import { mergeConditions } from './merge-conditions.ts';
import { conditionsOf, type Observed } from './observed-conditions.ts';

/** As Istio names what looks after routes between services. */
export const MESH_CONTROLLER = 'istio.io/mesh-controller';

/** The entries to write; undefined when those that are there say the same. */
export function mergeParents(
  { parents, generation }: Pick<Observed, 'parents' | 'generation'>,
  wanted: readonly WantedParent[],
  now: string,
): object[] | undefined {
  const own = parents.filter((entry) => fieldsOf(entry)['controllerName'] === MESH_CONTROLLER);
  const foreign = parents.filter((entry) => !own.includes(entry)).filter(isRecord);
  let differs = own.length !== wanted.length;
  const next = wanted.map(({ parentRef, conditions: wantedConditions }) => {
    const before = own.find((entry) => sameRef(fieldsOf(entry)['parentRef'], parentRef));
    const conditions = conditionsOf(before);
    const merged = mergeConditions({ conditions, generation }, wantedConditions, now);
    differs ||= before === undefined || merged !== undefined;
    return { parentRef, controllerName: MESH_CONTROLLER, conditions: merged ?? conditions };
  });
  return differs ? [...foreign, ...next] : undefined;
}

function sameRef(a: unknown, b: WantedParent['parentRef']): boolean {
  const fields = fieldsOf(a);
  const names = Object.keys(b);
  return Object.keys(fields).length === names.length && names.every((name) => fields[name] === b[name]);
}
