/** The scheduler: pinned by `nodeName`, else spread over the nodes that `nodeSelector` admits. */
import { type Labels, selectorMatches } from '../model/manifest/object-meta.ts';
import type { PodSpec } from '../model/manifest/pod.ts';

export interface NodeChoice {
  readonly name: string;
  readonly labels: Labels;
}

/** A pod that has a place. */
export interface PlacedPod {
  readonly node: string;
  /** Key of the group it belongs to. */
  readonly group: string;
}

/**
 * The node with the fewest pods of the group, then with the fewest pods, then the first.
 * @returns undefined when no node is what the pod asks for
 */
export function pickNode(
  nodes: readonly NodeChoice[],
  placed: Iterable<PlacedPod>,
  group: string,
  { nodeName, nodeSelector }: Pick<PodSpec, 'nodeName' | 'nodeSelector'>,
): string | undefined {
  if (nodeName !== '') return nodes.find(({ name }) => name === nodeName)?.name;
  const ofGroup = new Map<string, number>();
  const total = new Map<string, number>();
  for (const pod of placed) {
    total.set(pod.node, (total.get(pod.node) ?? 0) + 1);
    if (pod.group === group) ofGroup.set(pod.node, (ofGroup.get(pod.node) ?? 0) + 1);
  }
  const load = (node: string) => (ofGroup.get(node) ?? 0) * 1000 + (total.get(node) ?? 0);
  const admitted = nodes.filter(({ labels }) => selectorMatches(nodeSelector, labels)).map(({ name }) => name);
  return admitted.reduce<string | undefined>(
    (best, node) => (best === undefined || load(node) < load(best) ? node : best),
    undefined,
  );
}
