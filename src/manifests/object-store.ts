/**
 * The objects in force, by kind, namespace and name, with the few indexes that builders need.
 *
 * Invariants:
 * - Listeners hear of a batch after all of it is in place.
 * - An object is replaced, never changed: `before` and `after` of a change are both safe to keep.
 */
import {
  keyOf,
  type ManifestKind,
  type ManifestObject,
  type ObjectOfKind,
  objectKey,
} from '../model/manifest/manifest-object.ts';
import type { PodObject } from '../model/manifest/pod.ts';
import type { ServiceEntryObject } from '../model/manifest/service-entry.ts';
import { hostReference, referencesOf } from './object-references.ts';
import { VirtualServiceIndex } from './virtual-service-index.ts';

/** One object that appeared, changed or went. */
export interface ObjectChange {
  readonly key: string;
  readonly before: ManifestObject | undefined;
  readonly after: ManifestObject | undefined;
}

export type ObjectListener = (changes: readonly ObjectChange[]) => void;

type ByName = Map<string, ManifestObject>;

const NO_OBJECTS: ReadonlyMap<string, ManifestObject> = new Map();
const NO_PODS: ReadonlySet<PodObject> = new Set();
const NO_KEYS: ReadonlySet<string> = new Set();

export class ObjectStore {
  readonly #byKey = new Map<string, ManifestObject>();
  /** By `<kind>/<namespace>`. */
  readonly #byNamespace = new Map<string, ByName>();
  readonly #namespacesOf = new Map<ManifestKind, Set<string>>();
  readonly #podsOfNode = new Map<string, Set<PodObject>>();
  /** Keys of objects, by what they refer to. */
  readonly #referrers = new Map<string, Set<string>>();
  readonly #virtualServices = new VirtualServiceIndex();
  readonly #listeners = new Set<ObjectListener>();

  get size(): number {
    return this.#byKey.size;
  }

  get<K extends ManifestKind>(kind: K, namespace: string, name: string): ObjectOfKind<K> | undefined {
    // The key starts with the kind, so what is stored under it has that kind.
    return this.#byKey.get(objectKey(kind, namespace, name)) as ObjectOfKind<K> | undefined;
  }

  getByKey(key: string): ManifestObject | undefined {
    return this.#byKey.get(key);
  }

  /** All objects of a kind in one namespace. */
  inNamespace<K extends ManifestKind>(kind: K, namespace: string): Iterable<ObjectOfKind<K>> {
    const objects = this.#byNamespace.get(`${kind}/${namespace}`) ?? NO_OBJECTS;
    return objects.values() as Iterable<ObjectOfKind<K>>;
  }

  /** All objects of a kind. */
  *all<K extends ManifestKind>(kind: K): Iterable<ObjectOfKind<K>> {
    for (const namespace of this.#namespacesOf.get(kind) ?? []) yield* this.inNamespace(kind, namespace);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  podsOnNode(node: string): Iterable<PodObject> {
    return this.#podsOfNode.get(node) ?? NO_PODS;
  }

  /** Keys of the objects that make a reference, named as in `object-references.ts`. */
  referrers(reference: string): Iterable<string> {
    return this.#referrers.get(reference) ?? NO_KEYS;
  }

  /** ServiceEntries that list the host, by key. */
  serviceEntriesOf(host: string): readonly ServiceEntryObject[] {
    const keys = [...this.referrers(hostReference(host))].sort();
    return keys.map((key) => this.#byKey.get(key)).filter((object) => object?.kind === 'ServiceEntry');
  }

  get virtualServices(): Pick<VirtualServiceIndex, 'ofHost' | 'mentioning' | 'rootsOf'> {
    return this.#virtualServices;
  }

  /** Puts objects in place and takes others out, as one batch. */
  apply(upserts: readonly ManifestObject[], removedKeys: readonly string[]): void {
    const changes: ObjectChange[] = [];
    for (const key of removedKeys) {
      const before = this.#byKey.get(key);
      if (before === undefined) continue;
      this.#remove(key, before);
      changes.push({ key, before, after: undefined });
    }
    for (const after of upserts) {
      const key = keyOf(after);
      const before = this.#byKey.get(key);
      if (before !== undefined) this.#remove(key, before);
      this.#insert(key, after);
      changes.push({ key, before, after });
    }
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
  }

  /** @returns ends the subscription */
  subscribe(listener: ObjectListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #insert(key: string, object: ManifestObject): void {
    this.#byKey.set(key, object);
    const { namespace, name } = object.meta;
    const group = `${object.kind}/${namespace}`;
    const objects = this.#byNamespace.get(group);
    if (objects === undefined) this.#byNamespace.set(group, new Map([[name, object]]));
    else objects.set(name, object);
    addTo(this.#namespacesOf, object.kind, namespace);
    if (object.kind === 'Pod') addTo(this.#podsOfNode, object.spec.nodeName, object);
    for (const reference of referencesOf(object)) addTo(this.#referrers, reference, key);
    if (object.kind === 'VirtualService') this.#virtualServices.add(object);
  }

  #remove(key: string, object: ManifestObject): void {
    this.#byKey.delete(key);
    const { namespace, name } = object.meta;
    const group = `${object.kind}/${namespace}`;
    const objects = this.#byNamespace.get(group);
    objects?.delete(name);
    if (objects?.size === 0) {
      this.#byNamespace.delete(group);
      removeFrom(this.#namespacesOf, object.kind, namespace);
    }
    if (object.kind === 'Pod') removeFrom(this.#podsOfNode, object.spec.nodeName, object);
    for (const reference of referencesOf(object)) removeFrom(this.#referrers, reference, key);
    if (object.kind === 'VirtualService') this.#virtualServices.remove(object);
  }
}

function addTo<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const values = index.get(key);
  if (values === undefined) index.set(key, new Set([value]));
  else values.add(value);
}

function removeFrom<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const values = index.get(key);
  values?.delete(value);
  if (values?.size === 0) index.delete(key);
}
