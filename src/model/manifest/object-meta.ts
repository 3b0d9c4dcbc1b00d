/** The metadata that every Kubernetes object has. */
import type { FieldReader } from './field-reader.ts';

export type Labels = ReadonlyMap<string, string>;

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly controller: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Milliseconds since the epoch; undefined when the manifest does not say. */
  readonly createdMs: number | undefined;
  /** Whether a deletion timestamp is set. */
  readonly deleting: boolean;
  readonly owners: readonly OwnerReference[];
}

export const DEFAULT_NAMESPACE = 'default';
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;

/** Whether the text can name an object (RFC 1123 subdomain). */
export function isObjectName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && DNS_SUBDOMAIN.test(text);
}

/** Whether the text can name a namespace (RFC 1123 label). */
export function isNamespaceName(text: string): boolean {
  return text.length <= MAX_LABEL_LENGTH && DNS_LABEL.test(text);
}

/** Reads `metadata`; problems are reported to the reader. */
export function readObjectMeta(root: FieldReader, namespaced: boolean): ObjectMeta {
  const meta = root.child('metadata');
  const name = meta.required('name');
  if (name !== '' && !isObjectName(name)) {
    meta.report('name', `"${name}" is not a valid name: lower-case letters, digits, "-" and "."`);
  }
  const namespace = namespaced ? (meta.string('namespace') ?? DEFAULT_NAMESPACE) : '';
  if (namespaced && !isNamespaceName(namespace))
    meta.report('namespace', `"${namespace}" is not a valid namespace name`);
  return {
    name,
    namespace,
    uid: meta.string('uid') ?? '',
    labels: meta.stringMap('labels'),
    annotations: meta.stringMap('annotations'),
    createdMs: readTime(meta, 'creationTimestamp'),
    deleting: meta.has('deletionTimestamp'),
    owners: meta.children('ownerReferences').map((owner) => ({
      kind: owner.string('kind') ?? '',
      name: owner.string('name') ?? '',
      controller: owner.boolean('controller') ?? false,
    })),
  };
}

/** Whether every pair of the selector is among the labels. An empty selector matches everything. */
export function selectorMatches(selector: Labels, labels: Labels): boolean {
  for (const [key, value] of selector) if (labels.get(key) !== value) return false;
  return true;
}

function readTime(meta: FieldReader, name: string): number | undefined {
  const text = meta.string(name);
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  meta.report(name, `"${text}" is not a time as in RFC 3339`);
  return undefined;
}
