/** Which namespaces the control plane looks at: `discoverySelectors` of the mesh configuration (facts l7-and-control 6.5). */

/** One requirement of a label selector. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** All requirements have to hold. */
export type NamespaceSelector = readonly LabelRequirement[];

type Labels = ReadonlyMap<string, string>;

/** Whether a namespace is looked at. Without selectors all are; of several one has to match. */
export function isNamespaceSelected(selectors: readonly NamespaceSelector[], labels: Labels): boolean {
  if (selectors.length === 0) return true;
  return selectors.some((selector) => selector.every((requirement) => meets(requirement, labels)));
}

function meets({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels.get(key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
