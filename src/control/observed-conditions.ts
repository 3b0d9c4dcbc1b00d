/** What the objects that get status say about themselves: their conditions, and those of a route about its parents. */
import type { KubeObject } from '../kube/kube-object.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import { type ManifestKind, objectKey } from '../model/manifest/manifest-object.ts';
import { ROUTE_KINDS } from '../model/manifest/route-object.ts';

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
  /** The version of the API in which the object came. */
  readonly apiVersion: string;
  readonly generation: number;
  readonly conditions: readonly ObservedCondition[];
  /** `status.parents` as it stands. */
  readonly parents: readonly unknown[];
}

const KINDS: ReadonlySet<ManifestKind> = new Set([
  'AuthorizationPolicy',
  'RequestAuthentication',
  'Service',
  'ServiceEntry',
  ...ROUTE_KINDS,
]);

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
    const conditions = conditionsOf(object['status']);
    const listed = fieldsOf(object['status'])['parents'];
    const parents = Array.isArray(listed) ? listed : [];
    this.#byKey.set(key, { resourceVersion, apiVersion: object.apiVersion ?? '', generation, conditions, parents });
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

/** The conditions of a status, or of a part of one. */
export function conditionsOf(status: unknown): ObservedCondition[] {
  const list = fieldsOf(status)['conditions'];
  return (Array.isArray(list) ? list.filter(isRecord) : []).map((fields) => ({
    ...fields,
    type: textOf(fields['type']),
    status: textOf(fields['status']),
    reason: textOf(fields['reason']),
    message: textOf(fields['message']),
  }));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
