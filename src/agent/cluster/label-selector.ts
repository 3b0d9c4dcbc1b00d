/** Label selectors as Kubernetes has them (`metav1.LabelSelector`), and the list of them that enrols pods. */
import { type FieldReader, isRecord } from '../../model/manifest/field-reader.ts';

export type Labels = Readonly<Record<string, string>>;

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

interface Requirement {
  readonly key: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly values: readonly string[];
}

/** All requirements must hold; none at all matches everything. */
export type LabelSelector = readonly Requirement[];

/** Reads `matchLabels` and `matchExpressions`; problems go to the reader. */
export function readLabelSelector(fields: FieldReader): LabelSelector {
  fields.onlyKnown(['matchLabels', 'matchExpressions']);
  const labels = [...fields.stringMap('matchLabels')];
  const expressions = fields.children('matchExpressions').map((expression) => {
    expression.onlyKnown(['key', 'operator', 'values']);
    if (!expression.has('operator')) expression.report('operator', 'is required');
    return {
      key: expression.required('key'),
      operator: expression.oneOf('operator', OPERATORS) ?? 'Exists',
      values: expression.strings('values'),
    };
  });
  return [...labels.map(([key, value]) => ({ key, operator: 'In' as const, values: [value] })), ...expressions];
}

/** As in Kubernetes: a label that is absent satisfies `NotIn` and `DoesNotExist`. */
export function matchesLabels(selector: LabelSelector, labels: Labels): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const listed = value !== undefined && values.includes(value);
    return operator === 'In' ? listed : !listed;
  });
}

/** A map of texts out of an object of the API; what is no text is left out. */
export function labelsOf(value: unknown): Labels {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
