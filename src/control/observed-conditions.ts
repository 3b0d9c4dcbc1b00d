/** What the objects that get status say about themselves: their conditions, and what policies are attached to. */
import type { KubeObject } from '../kube/kube-object.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { type ManifestKind, objectKey } from '../model/manifest/manifest-object.ts';

/** A condition as it stands in an object; fields that are not known here are kept. */
export interface ObservedCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Observed {
  readonly resourceVersion: string;
  readonly generation: number;
  readonly conditions: readonly ObservedCondition[];
}

const KINDS: ReadonlySet<ManifestKind> = new Set(['AuthorizationPolicy', 'Service', 'ServiceEntry']);

export class ObservedConditions {
  readonly #byKey = new Map<string, Observed>();
  readonly #listeners = new Set<(key: string) => void>();

  /** Notes an object as the API server sent it. */
  note(kind: ManifestKind, object: KubeObject, gone: boolean): void {
    if (!KINDS.has(kind)) return;
    const { namespace = '', name, resourceVersion = '', generation = 0 } = object.metadata;
    const key = objectKey(kind, namespace, name);
    if (gone) {
      this.#byKey.delete(key);
      return;
    }
    const conditions = conditionsOf(object);
    this.#byKey.set(key, { resourceVersion, generation, conditions });
    for (const listener of this.#listeners) listener(key);
  }

  /** Calls back with the key of each object that is noted. @returns ends the subscription */
  subscribe(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** By object key. */
  get(key: string): Observed | undefined {
    return this.#byKey.get(key);
  }
}

function conditionsOf(object: KubeObject): ObservedCondition[] {
  const { status } = object;
  const list = isRecord(status) ? status['conditions'] : undefined;
  return recordsOf(list).map((fields) => ({
    ...fields,
    type: textOf(fields['type']),
    status: textOf(fields['status']),
    reason: textOf(fields['reason']),
    message: textOf(fields['message']),
  }));
}

function recordsOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
