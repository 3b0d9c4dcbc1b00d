/**
 * What one stream wants of one resource type, and what it is still owed.
 *
 * Invariants:
 * - `pending` is the only thing that grows while a client is slow, and it holds names only, each once; for a client that
 *   is owed everything not even these.
 * - Every key that an on-demand client asks for is answered, by resources or as removed, also when what it stands for was
 *   sent before under another key.
 * - For a wildcard client no list of what it holds is kept: removals are computed from what it says it holds on
 *   connect (facts ztunnel-wire 5.4) and from changes afterwards.
 */
import type { DeltaDiscoveryRequest } from '../../proto/gen/discovery.ts';
import type { EncodedResource } from './encoded-resource.ts';
import type { ResourceChange, ResourceStore } from './resource-store.ts';

const WILDCARD = '*';
/** A client that asks for more single names than this is a defect or an attack. */
export const MAX_SUBSCRIBED_NAMES = 100_000;

/** One message's worth of changes. */
export interface Batch {
  /** Encoded fields of a response. */
  readonly resources: readonly Uint8Array[];
  readonly removed: string[];
}

export class TypeSubscription {
  readonly #store: ResourceStore;
  #started = false;
  #wildcard = false;
  /** Keys that an on-demand client asked for. */
  readonly #asked = new Set<string>();
  /** These keys and the names they stand for. */
  readonly #watched = new Set<string>();
  /** Names an on-demand client was sent. */
  readonly #sent = new Set<string>();
  #pending = new Set<string>();
  /** Whether all that the store holds is pending. */
  #everything = false;
  #answerOwed = false;
  #urgent = false;

  constructor(store: ResourceStore) {
    this.#store = store;
  }

  /** Whether there is something to send. */
  get isDue(): boolean {
    return this.#answerOwed || this.pendingCount > 0;
  }

  /** Whether the client waits for it: an answer to a subscription, or the rest of one. */
  get isUrgent(): boolean {
    return this.#answerOwed || this.#urgent;
  }

  get pendingCount(): number {
    return this.#everything ? Math.max(this.#store.size, this.#pending.size) : this.#pending.size;
  }

  get isWildcard(): boolean {
    return this.#wildcard;
  }

  /** Takes subscriptions of a request. @returns false when the client asks for too much */
  apply(request: DeltaDiscoveryRequest): boolean {
    const { resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe } = request;
    const pendingBefore = this.pendingCount;
    if (!this.#started) {
      this.#started = true;
      this.#answerOwed = true;
      this.#wildcard = (subscribe.length === 0 || subscribe.includes(WILDCARD)) && !unsubscribe.includes(WILDCARD);
      this.#reconnect(request.initialResourceVersions, subscribe);
    } else if (subscribe.includes(WILDCARD) && !this.#wildcard) {
      this.#wildcard = true;
      this.#everything = true;
    }
    if (unsubscribe.includes(WILDCARD)) this.#wildcard = false;
    for (const key of unsubscribe) this.#unwatch(key);
    for (const key of subscribe) if (key !== WILDCARD) this.#watch(key, request.initialResourceVersions);
    if (this.pendingCount > pendingBefore) this.#urgent = true;
    return this.#asked.size <= MAX_SUBSCRIBED_NAMES;
  }

  /** Notes changes of the store. */
  noteChanges(changes: readonly ResourceChange[]): void {
    if (!this.#started) return;
    for (const change of changes) {
      if (this.#wildcard || this.#isWatched(change)) this.#pending.add(change.name);
    }
  }

  /**
   * Takes what is due, up to about `maxBytes` of resources.
   * @returns undefined when nothing is due
   */
  take(maxBytes: number): Batch | undefined {
    if (!this.isDue) return undefined;
    this.#answerOwed = false;
    if (this.#everything) {
      const whole = this.#takeEverything(maxBytes);
      if (whole !== undefined) return whole;
      this.#pending = new Set([...this.#store.names(), ...this.#pending]);
    }
    const resources: Uint8Array[] = [];
    const removed: string[] = [];
    let bytes = 0;
    for (const name of this.#pending) {
      const stored = this.#store.get(name);
      if (stored !== undefined) {
        if (resources.length > 0 && bytes + stored.costBytes > maxBytes) break;
        bytes += stored.costBytes;
        resources.push(this.#present(stored));
      } else {
        removed.push(name);
        bytes += name.length;
        this.#sent.delete(name);
        if (!this.#asked.has(name)) this.#watched.delete(name);
      }
      this.#pending.delete(name);
      if (bytes > maxBytes) break;
    }
    this.#urgent = this.#pending.size > 0;
    return { resources, removed };
  }

  /** @returns undefined when it is too much for one message: its names are pending then */
  #takeEverything(maxBytes: number): Batch | undefined {
    this.#everything = false;
    const resources: Uint8Array[] = [];
    let bytes = 0;
    for (const stored of this.#store.resources()) {
      bytes += stored.costBytes;
      if (bytes > maxBytes) return undefined;
      resources.push(this.#present(stored));
    }
    const removed = [...this.#pending].filter((name) => this.#store.get(name) === undefined);
    this.#pending.clear();
    this.#urgent = false;
    return { resources, removed };
  }

  #reconnect(held: ReadonlyMap<string, string>, subscribe: readonly string[]): void {
    if (this.#wildcard && held.size === 0) this.#everything = true;
    else if (this.#wildcard) {
      for (const name of this.#store.names()) if (this.#differs(name, held)) this.#pending.add(name);
    }
    for (const name of held.keys()) {
      if (!this.#wildcard) this.#watch(name, held);
      // An on-demand client lists what it asked for and never got with an empty version; it is answered by #watch.
      else if (this.#store.get(name) === undefined && !subscribe.includes(name)) this.#pending.add(name);
    }
  }

  #watch(key: string, held: ReadonlyMap<string, string>): void {
    this.#asked.add(key);
    this.#watched.add(key);
    const names = this.#store.lookup(key);
    if (names.length === 0) this.#pending.add(key);
    for (const name of names) {
      this.#watched.add(name);
      // Sent before or not: who asks waits for an answer.
      if (this.#differs(name, held)) this.#pending.add(name);
      this.#sent.add(name);
    }
  }

  #unwatch(key: string): void {
    if (!this.#asked.delete(key)) return;
    this.#watched.delete(key);
    // What has members goes before them: they are kept only for its sake.
    for (const name of this.#store.lookup(key).reverse()) {
      if (this.#isAskedFor(name)) continue;
      this.#watched.delete(name);
      this.#sent.delete(name);
      if (!this.#wildcard) this.#pending.delete(name);
    }
  }

  #isAskedFor(name: string): boolean {
    if (this.#asked.has(name)) return true;
    const stored = this.#store.get(name);
    if (stored === undefined) return false;
    return stored.aliases.some((key) => this.#asked.has(key)) || stored.groups.some((key) => this.#watched.has(key));
  }

  /** Whether a change concerns an on-demand client; what comes new under a watched key brings its members along. */
  #isWatched(change: ResourceChange): boolean {
    if (!this.#watched.has(change.name) && !this.#sent.has(change.name)) {
      if (!change.keys.some((key) => this.#watched.has(key))) return false;
    }
    if (this.#sent.has(change.name)) return true;
    for (const name of this.#store.lookup(change.name)) {
      this.#watched.add(name);
      this.#sent.add(name);
      this.#pending.add(name);
    }
    return true;
  }

  #differs(name: string, held: ReadonlyMap<string, string>): boolean {
    const version = this.#store.get(name)?.version ?? '';
    return version === '' || held.get(name) !== version;
  }

  #present(stored: EncodedResource): Uint8Array {
    const { typeUrl } = this.#store;
    return this.#wildcard ? stored.field(typeUrl) : stored.fieldWithAliases(typeUrl);
  }
}
