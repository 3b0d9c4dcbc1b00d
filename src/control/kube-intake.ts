/**
 * API objects into the object store: parsed, filtered by revision and namespace, in batches.
 *
 * Invariants:
 * - An object that was good once and is now invalid stays in force in its last good version.
 * - A change is applied at once, unless changes cost so much that they take half of the time: then they are merged.
 * - Whether an object is in the store depends on the objects and selectors, not on the order in which they came.
 */
import { hash } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ResourceKind } from '../kube/resource-kind.ts';
import type { AcceptedEntry } from '../manifests/manifest-set.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { keyOf, type ManifestKind, type ManifestObject, objectKey } from '../model/manifest/manifest-object.ts';
import type { ManifestProblem } from '../model/manifest/manifest-problem.ts';
import { readObject } from '../model/manifest/read-object.ts';
import { isNamespaceSelected, type NamespaceSelector } from '../model/namespace-selection.ts';

export interface KubeIntakeOptions {
  /** Objects of Istio's groups with another `istio.io/rev` are ignored (facts l7-and-control 9.9). */
  readonly revision: string;
  /** Looked at whatever the selectors say: where mesh-wide policies and node proxies are. */
  readonly alwaysSelected: readonly string[];
}

export interface KubeIntakeDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: ObjectStore;
}

/** Kinds under which the store files what a kind of the API becomes. */
export interface IntakeKind {
  readonly resource: ResourceKind;
  readonly kind: ManifestKind;
}

/** Counts of what came, by kind and event. */
export type IntakeCounts = ReadonlyMap<string, { added: number; updated: number; deleted: number }>;

const REVISION_LABEL = 'istio.io/rev';
const MAX_PAUSE_MS = 200;
const NOWHERE = { file: 'kubernetes', line: 1, column: 1 };

export class KubeIntake {
  readonly #options: KubeIntakeOptions;
  readonly #deps: KubeIntakeDeps;
  /** By kind: the hash of each object as it was last seen. */
  readonly #seen = new Map<ManifestKind, Map<string, string>>();
  readonly #problems = new Map<string, readonly ManifestProblem[]>();
  /** Objects of namespaces that are not looked at, by namespace. */
  readonly #hidden = new Map<string, Map<string, ManifestObject>>();
  readonly #namespaceLabels = new Map<string, ReadonlyMap<string, string>>();
  readonly #pending = new Map<string, ManifestObject | undefined>();
  readonly #counts = new Map<string, { added: number; updated: number; deleted: number }>();
  #selectors: readonly NamespaceSelector[] = [];
  #timer: Timer | undefined;
  /** Before that changes wait, monotonic. */
  #nextMs = 0;
  #stopped = false;

  constructor(options: KubeIntakeOptions, deps: KubeIntakeDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get counts(): IntakeCounts {
    return this.#counts;
  }

  /** Takes the complete set of a kind. */
  replace(kind: IntakeKind, objects: readonly KubeObject[]): void {
    const gone = new Set(this.#seenOf(kind.kind).keys());
    for (const object of objects) {
      gone.delete(keyOfRaw(kind, object));
      this.#take(kind, object);
    }
    for (const key of gone) this.#drop(kind, key);
    this.#applySoon();
  }

  upsert(kind: IntakeKind, object: KubeObject): void {
    this.#take(kind, object);
    this.#applySoon();
  }

  remove(kind: IntakeKind, object: KubeObject): void {
    this.#drop(kind, keyOfRaw(kind, object));
    this.#applySoon();
  }

  /** Takes other selectors; objects move in and out of view. */
  setSelectors(selectors: readonly NamespaceSelector[]): void {
    const before = new Map([...this.#namespaces()].map((name) => [name, this.isSelected(name)]));
    this.#selectors = selectors;
    for (const [name, was] of before) this.#move(name, was);
    this.#applySoon();
  }

  /** Whether objects of a namespace count. */
  isSelected(namespace: string): boolean {
    if (namespace === '' || this.#selectors.length === 0) return true;
    if (this.#options.alwaysSelected.includes(namespace)) return true;
    const labels = this.#namespaceLabels.get(namespace);
    return labels !== undefined && isNamespaceSelected(this.#selectors, labels);
  }

  problems(): ManifestProblem[] {
    return [...this.#problems.values()].flat();
  }

  accepted(): AcceptedEntry[] {
    return [...this.#deps.store.keys()].map((key) => ({ key, position: NOWHERE, stale: this.#problems.has(key) }));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Puts everything that waits in place now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pending.size === 0 || this.#stopped) return;
    const upserts: ManifestObject[] = [];
    const removedKeys: string[] = [];
    for (const [key, object] of this.#pending) {
      if (object === undefined) removedKeys.push(key);
      else upserts.push(object);
    }
    this.#pending.clear();
    const { clock, store } = this.#deps;
    const startMs = clock.monotonicMs();
    store.apply(upserts, removedKeys);
    const endMs = clock.monotonicMs();
    this.#nextMs = endMs + Math.min(endMs - startMs, MAX_PAUSE_MS);
  }

  #applySoon(): void {
    if (this.#pending.size === 0 || this.#timer !== undefined || this.#stopped) return;
    const delayMs = this.#nextMs - this.#deps.clock.monotonicMs();
    if (delayMs <= 0) return this.flush();
    this.#timer = this.#deps.clock.after(delayMs, () => this.flush());
  }

  #take(kind: IntakeKind, raw: KubeObject): void {
    const key = keyOfRaw(kind, raw);
    if (this.#isForeign(kind, raw)) return this.#drop(kind, key);
    const seen = this.#seenOf(kind.kind);
    const before = seen.get(key);
    const content = hash('sha1', JSON.stringify(raw), 'base64');
    if (before === content) return;
    seen.set(key, content);
    this.#count(kind, before === undefined ? 'added' : 'updated');
    const reading = readObject(raw, () => NOWHERE);
    if (reading.kind === 'refused') return this.#refuse(key, reading.problems);
    if (reading.kind === 'ignored') return;
    this.#mended(key);
    this.#place(reading.object);
    if (reading.object.kind === 'Namespace') this.#noteNamespace(reading.object.meta.name, reading.object.meta.labels);
  }

  #drop(kind: IntakeKind, key: string): void {
    if (!this.#seenOf(kind.kind).delete(key)) return;
    this.#count(kind, 'deleted');
    this.#problems.delete(key);
    const [, namespace = '', name = ''] = key.split('/');
    this.#hidden.get(namespace)?.delete(key);
    this.#pending.set(key, undefined);
    if (kind.kind === 'Namespace') this.#noteNamespace(name, undefined);
  }

  /** Into the store, or aside while its namespace is not looked at. */
  #place(object: ManifestObject): void {
    const key = keyOf(object);
    const { namespace } = object.meta;
    if (this.isSelected(namespace)) {
      this.#pending.set(key, object);
      return;
    }
    const hidden = this.#hidden.get(namespace) ?? new Map<string, ManifestObject>();
    this.#hidden.set(namespace, hidden.set(key, object));
  }

  #noteNamespace(name: string, labels: ReadonlyMap<string, string> | undefined): void {
    const was = this.isSelected(name);
    if (labels === undefined) this.#namespaceLabels.delete(name);
    else this.#namespaceLabels.set(name, labels);
    this.#move(name, was);
  }

  #move(namespace: string, wasSelected: boolean): void {
    const selected = this.isSelected(namespace);
    if (selected === wasSelected) return;
    this.flush();
    if (selected) {
      for (const [key, object] of this.#hidden.get(namespace) ?? []) this.#pending.set(key, object);
      this.#hidden.delete(namespace);
      return;
    }
    const hidden = new Map<string, ManifestObject>();
    for (const kind of this.#seen.keys()) {
      if (kind === 'Namespace' || kind === 'Node') continue;
      for (const object of this.#deps.store.inNamespace(kind, namespace)) hidden.set(keyOf(object), object);
    }
    for (const key of hidden.keys()) this.#pending.set(key, undefined);
    this.#hidden.set(namespace, hidden);
  }

  /** All that objects were seen in, also before the Namespace itself. */
  #namespaces(): Set<string> {
    const names = new Set(this.#namespaceLabels.keys());
    for (const seen of this.#seen.values()) for (const key of seen.keys()) names.add(key.split('/')[1] ?? '');
    return names;
  }

  #isForeign({ resource }: IntakeKind, raw: KubeObject): boolean {
    if (!resource.group.endsWith('.istio.io')) return false;
    const revision = raw.metadata.labels?.[REVISION_LABEL];
    return revision !== undefined && revision !== '' && revision !== this.#options.revision;
  }

  #refuse(key: string, problems: readonly ManifestProblem[]): void {
    this.#problems.set(key, problems);
    const inForce = this.#deps.store.getByKey(key) !== undefined;
    for (const { object, field, reason } of problems) {
      const stays = inForce ? 'the last good version stays in force' : 'nothing of it is in force';
      this.#deps.logger.warn('object refused', { object, field, reason, stays });
    }
  }

  #mended(key: string): void {
    const problems = this.#problems.get(key);
    if (problems === undefined) return;
    this.#problems.delete(key);
    this.#deps.logger.info('object accepted again', { object: problems[0]?.object ?? key });
  }

  #count({ kind }: IntakeKind, event: 'added' | 'updated' | 'deleted'): void {
    const counts = this.#counts.get(kind) ?? { added: 0, updated: 0, deleted: 0 };
    counts[event]++;
    this.#counts.set(kind, counts);
  }

  #seenOf(kind: ManifestKind): Map<string, string> {
    const seen = this.#seen.get(kind) ?? new Map<string, string>();
    this.#seen.set(kind, seen);
    return seen;
  }
}

function keyOfRaw({ resource, kind }: IntakeKind, { metadata }: KubeObject): string {
  return objectKey(kind, resource.namespaced ? (metadata.namespace ?? '') : '', metadata.name);
}
