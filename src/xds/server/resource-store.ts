/**
 * The current resources of one type, by name, for all streams together.
 *
 * Invariants:
 * - A resource is found by its name and by each of its keys (aliases and groups); the index never holds a key of a
 *   resource that is gone.
 * - Listeners hear of a change after all of it is in place.
 */
import { EncodedResource } from './encoded-resource.ts';
import type { StoredResource } from './stored-resource.ts';

/** What changed, with every key under which a resource was or is to be found. */
export interface ResourceChange {
  readonly name: string;
  readonly keys: readonly string[];
}

export type ResourceListener = (changes: readonly ResourceChange[]) => void;

/** Resources of one type URL. */
export class ResourceStore {
  readonly typeUrl: string;
  /** Types whose resources those of this one refer to: their changes are sent before. */
  readonly follows: readonly string[];
  readonly #byName = new Map<string, EncodedResource>();
  readonly #byKey = new Map<string, Set<string>>();
  readonly #listeners = new Set<ResourceListener>();
  #fill: (() => readonly StoredResource[]) | undefined;

  /** @param fill for a type that hardly anybody asks for: what it holds, asked for when the first client comes */
  constructor(typeUrl: string, follows: readonly string[] = [], fill?: () => readonly StoredResource[]) {
    this.typeUrl = typeUrl;
    this.follows = follows;
    this.#fill = fill;
  }

  /** Whether it has to be kept up to date: not while nobody has asked for it. */
  get isWanted(): boolean {
    return this.#fill === undefined;
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): EncodedResource | undefined {
    return this.#byName.get(name);
  }

  names(): Iterable<string> {
    return this.#byName.keys();
  }

  resources(): Iterable<EncodedResource> {
    return this.#byName.values();
  }

  /**
   * The names that answer a key: the resource of that name or alias, after what belongs to it, so that a client which
   * has the service has its workloads.
   * @param key a name, `<network>/<ip>`, or `<namespace>/<hostname>`
   */
  lookup(key: string): string[] {
    const found = new Set<string>();
    for (const name of this.#named(key)) {
      for (const member of this.#byKey.get(name) ?? []) found.add(member);
      found.add(name);
    }
    return [...found];
  }

  /** Puts resources in place and takes others out; unchanged ones are not reported. */
  update(upserts: readonly StoredResource[], removals: readonly string[] = []): void {
    const changes: ResourceChange[] = [];
    for (const name of removals) {
      const before = this.#byName.get(name);
      if (before === undefined) continue;
      this.#byName.delete(name);
      this.#unindex(before);
      changes.push({ name, keys: keysOf(before) });
    }
    for (const after of upserts) {
      const before = this.#byName.get(after.name);
      if (before?.value.equals(after.value)) continue;
      if (before !== undefined) this.#unindex(before);
      this.#byName.set(after.name, new EncodedResource(after));
      this.#index(after);
      changes.push({
        name: after.name,
        keys: before === undefined ? keysOf(after) : [...keysOf(before), ...keysOf(after)],
      });
    }
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
  }

  /** @returns ends the subscription */
  subscribe(listener: ResourceListener): () => void {
    const fill = this.#fill;
    this.#fill = undefined;
    if (fill !== undefined) this.update(fill());
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #named(key: string): string[] {
    if (this.#byName.has(key)) return [key];
    const names: string[] = [];
    for (const name of this.#byKey.get(key) ?? []) {
      if (this.#byName.get(name)?.aliases.includes(key)) names.push(name);
    }
    return names;
  }

  #index(resource: StoredResource): void {
    for (const key of keysOf(resource)) {
      const names = this.#byKey.get(key);
      if (names === undefined) this.#byKey.set(key, new Set([resource.name]));
      else names.add(resource.name);
    }
  }

  #unindex(resource: StoredResource): void {
    for (const key of keysOf(resource)) {
      const names = this.#byKey.get(key);
      names?.delete(resource.name);
      if (names?.size === 0) this.#byKey.delete(key);
    }
  }
}

function keysOf(resource: StoredResource): readonly string[] {
  return [...resource.aliases, ...resource.groups];
}
