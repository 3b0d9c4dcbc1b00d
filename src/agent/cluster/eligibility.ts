/** Which pods belong into the mesh (facts ztunnel-wire 4.1). */
import { FieldReader } from '../../model/manifest/field-reader.ts';
import { formatFieldPath } from '../../model/manifest/manifest-problem.ts';
import { type LabelSelector, type Labels, matchesLabels, readLabelSelector } from './label-selector.ts';
import { hasSidecar, type NodePod } from './node-pod.ts';

const MODE_LABEL = 'istio.io/dataplane-mode';

/** Enrols pods that match both. */
export interface EnablementSelector {
  readonly pod: LabelSelector;
  readonly namespace: LabelSelector;
}

export interface EligibilityRules {
  /** One match is enough. */
  readonly selectors: readonly EnablementSelector[];
  readonly excludedNamespaces: readonly string[];
  /** The namespace of the mesh's own programs; empty when it is not known. */
  readonly systemNamespace: string;
}

/** A pod's own label; or its namespace's, unless the pod opts out. */
export const DEFAULT_SELECTORS: readonly EnablementSelector[] = [
  { pod: [{ key: MODE_LABEL, operator: 'In', values: ['ambient'] }], namespace: [] },
  {
    pod: [{ key: MODE_LABEL, operator: 'NotIn', values: ['none'] }],
    namespace: [{ key: MODE_LABEL, operator: 'In', values: ['ambient'] }],
  },
];

/**
 * Why a pod stays outside the mesh, or undefined when it belongs there.
 * @param namespaceLabels of the pod's namespace
 */
export function ineligibility(pod: NodePod, namespaceLabels: Labels, rules: EligibilityRules): string | undefined {
  if (pod.hostNetwork) return 'it uses the network of the host';
  if (pod.isTerminal) return 'it has ended';
  if (rules.excludedNamespaces.includes(pod.namespace)) return `namespace ${pod.namespace} is excluded`;
  if (hasSidecar(pod)) return 'it has a sidecar';
  if (pod.namespace === rules.systemNamespace && pod.labels['app'] === 'ztunnel') return 'it is the node proxy';
  const selected = rules.selectors.some(
    (selector) => matchesLabels(selector.namespace, namespaceLabels) && matchesLabels(selector.pod, pod.labels),
  );
  return selected ? undefined : 'no label of the pod or its namespace asks for it';
}

/** Whether new pods of a namespace belong into the mesh by the namespace's own labels. */
export function isEnrolledNamespace(name: string, labels: Labels, rules: EligibilityRules): boolean {
  if (rules.excludedNamespaces.includes(name)) return false;
  // A selector without a condition on the namespace asks for single pods.
  return rules.selectors.some(({ namespace }) => namespace.length > 0 && matchesLabels(namespace, labels));
}

/**
 * Reads the selectors from JSON: `[{"podSelector":{...},"namespaceSelector":{...}}]`, as in Istio's
 * `ambient.enablementSelectors`.
 * @param refuse is told every problem
 */
export function readSelectors(json: string, refuse: (problem: string) => void): readonly EnablementSelector[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // Falls through: what is no JSON is no list either.
  }
  if (!Array.isArray(value)) {
    refuse('enablement selectors are not a list in JSON');
    return [];
  }
  const list = new FieldReader({ selectors: value }, [], (path, reason) =>
    refuse(`${formatFieldPath(path)}: ${reason}`),
  );
  return list.children('selectors').map((entry) => {
    entry.onlyKnown(['podSelector', 'namespaceSelector']);
    return {
      pod: readLabelSelector(entry.child('podSelector')),
      namespace: readLabelSelector(entry.child('namespaceSelector')),
    };
  });
}
