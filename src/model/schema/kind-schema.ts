/** One kind of custom resources: its names, versions and fields. */
import { any, integerOrString, list, type ObjectSchema, object, oneOf, type Schema, text, time } from './schema.ts';

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date';
  readonly path: string;
  readonly description: string;
}

export interface KindSchema {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly PrinterColumn[];
  /** Served versions; all have the same fields. The first is the one that is stored. */
  readonly versions: readonly string[];
  readonly spec: ObjectSchema;
  readonly status: ObjectSchema;
}

export const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  path: '.metadata.creationTimestamp',
  description: 'Since when the object exists',
};

const CONDITION = object({
  type: text,
  status: oneOf('True', 'False', 'Unknown'),
  reason: text,
  message: text,
  lastTransitionTime: time,
  lastProbeTime: time,
  observedGeneration: integerOrString,
});

const STATUS_FIELDS = {
  conditions: list(CONDITION),
  validationMessages: list(any),
  observedGeneration: integerOrString,
};

/** The status of every kind (facts l7-and-control 9.6). @param more fields that only this kind has */
export function statusSchema(more: Readonly<Record<string, Schema>> = {}): ObjectSchema {
  return object({ ...STATUS_FIELDS, ...more }, { open: true });
}

/** A reference to what a policy is attached to. */
const TARGET_REF = object(
  {
    group: { type: 'string', maxLength: 253 },
    kind: { type: 'string', minLength: 1, maxLength: 63 },
    name: { type: 'string', minLength: 1, maxLength: 253 },
    namespace: text,
  },
  { required: ['kind', 'name'] },
);
export const MAX_TARGET_REFS = 16;

/** The ways in which policies name what they are for; one of them at most. */
export const ATTACHMENT = {
  selector: object({ matchLabels: { type: 'map', entries: { type: 'string', maxLength: 63 }, maxEntries: 4096 } }),
  targetRef: TARGET_REF,
  targetRefs: list(TARGET_REF, { maxItems: MAX_TARGET_REFS }),
} as const;
export const ONE_ATTACHMENT = [['selector', 'targetRef', 'targetRefs']];

/** Exactly one of the three is given. */
export const STRING_MATCH = object(
  { exact: text, prefix: text, regex: { type: 'string', maxLength: 1024 } },
  { atMostOne: [['exact', 'prefix', 'regex']] },
);

/** A selector in the form of the networking group. */
export const WORKLOAD_LABELS = object({
  labels: { type: 'map', entries: { type: 'string', maxLength: 63 }, maxEntries: 256 },
});
