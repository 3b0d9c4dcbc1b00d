/** The scheduler: pinned by `nodeName`, else spread. */

/** A pod that has a place. */
export interface PlacedPod {
  readonly node: string;
  /** Key of the group it belongs to. */
  readonly group: string;
}

/**
 * The node with the fewest pods of the group, then with the fewest pods, then the first.
 * @returns undefined when `pinned` names a node that is not there
 */
export function pickNode(
  nodes: readonly string[],
  placed: Iterable<PlacedPod>,
  group: string,
  pinned: string,
): string | undefined {
  if (pinned !== '') return nodes.includes(pinned) ? pinned : undefined;
  const ofGroup = new Map<string, number>();
  const total = new Map<string, number>();
  for (const pod of placed) {
    total.set(pod.node, (total.get(pod.node) ?? 0) + 1);
    if (pod.group === group) ofGroup.set(pod.node, (ofGroup.get(pod.node) ?? 0) + 1);
  }
  const load = (node: string) => (ofGroup.get(node) ?? 0) * 1000 + (total.get(node) ?? 0);
  return nodes.reduce<string | undefined>(
    (best, node) => (best === undefined || load(node) < load(best) ? node : best),
    undefined,
  );
}
