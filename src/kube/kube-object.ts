/** Objects as the API server sends them: only what every object has is typed. */
import { isRecord } from '../model/manifest/field-reader.ts';

export interface KubeOwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface KubeMetadata {
  /** Empty only in answers that are no stored objects, such as a TokenReview. */
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly KubeOwnerReference[];
  readonly [field: string]: unknown;
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMetadata;
  readonly [field: string]: unknown;
}

/** A page of a list. */
export interface KubeList {
  readonly items: readonly KubeObject[];
  /** Where a watch continues. */
  readonly resourceVersion: string;
  /** For the next page; empty on the last one. */
  readonly continue: string;
}

/** An answer as an object; undefined when it is none. Missing metadata becomes metadata without a name. */
export function asKubeObject(value: unknown): KubeObject | undefined {
  if (!isRecord(value)) return undefined;
  const { metadata } = value;
  if (metadata !== undefined && metadata !== null && !isRecord(metadata)) return undefined;
  const name = metadata?.['name'];
  return { ...value, metadata: { ...metadata, name: typeof name === 'string' ? name : '' } };
}

/** `<namespace>/<name>`; the name alone for cluster-scoped objects. */
export function objectName({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** Without `managedFields`, which are half of most objects and of use only to the API server. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata['managedFields'] === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, name: object.metadata.name } };
}
