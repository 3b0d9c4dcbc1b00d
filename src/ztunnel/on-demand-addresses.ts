/**
 * Addresses asked for one by one (`XDS_ON_DEMAND`), as the control thread keeps them: which keys the data threads wanted,
 * what became of each, and when an answer is overdue (facts ztunnel-wire 5.3). A key is `<network>/<ip>`,
 * `<namespace>/<hostname>` or a workload's uid.
 *
 * States of a key: asked -> found, unknown or overdue; found <-> unknown as the feed changes; unknown -> forgotten.
 *
 * Invariants:
 * - A key is subscribed to once, however many threads want it, and stays so until it is forgotten.
 * - Every wanted key is answered after the push that has it or says that there is none; when the time is up it is
 *   overdue, which is no answer: a connection that needs it must not go on.
 * - Found keys are as many as the mesh has; keys of which nothing is known are bounded, and the one that was wanted
 *   longest ago is unsubscribed and forgotten first, by all threads.
 */
import { LRUCache } from 'lru-cache';
import type { Clock, Timer } from '../base/clock.ts';
import type { ReceivedResource } from '../xds/client/delta-client.ts';

/** How long an answer may take before a connection that needs it fails. */
export const ANSWER_WAIT_MS = 5000;

/** Keys of which nothing is known that are kept. */
const MAX_UNKNOWN_KEYS = 8192;

export interface OnDemandAddressesDeps {
  readonly clock: Clock;
  /** How many keys of which nothing is known are kept. Default 8192. */
  readonly maxUnknownKeys?: number;
  subscribe(key: string): void;
  unsubscribe(keys: readonly string[]): void;
  /** Tells all data threads that the state now holds whatever there is for these keys. */
  answer(keys: readonly string[]): void;
  /** Tells all data threads that nobody answered about these keys. */
  overdue(keys: readonly string[]): void;
  /** Tells all data threads that changes of these keys are no longer heard of. */
  forget(keys: readonly string[]): void;
}

export class OnDemandAddresses {
  readonly #deps: OnDemandAddressesDeps;
  readonly #waiting = new Map<string, Timer>();
  readonly #unknown: LRUCache<string, true>;
  /** Found keys with the names of the resources that have them. */
  readonly #owners = new Map<string, Set<string>>();
  /** The keys for which a resource was found, by its name. */
  readonly #keysByName = new Map<string, readonly string[]>();
  #evicted: string[] = [];

  constructor(deps: OnDemandAddressesDeps) {
    this.#deps = deps;
    this.#unknown = new LRUCache<string, true>({
      max: deps.maxUnknownKeys ?? MAX_UNKNOWN_KEYS,
      dispose: (_value, key, reason) => {
        if (reason === 'evict') this.#evicted.push(key);
      },
    });
  }

  /** A data thread wants what has this key. */
  want(key: string): void {
    if (this.#waiting.has(key)) return;
    if (this.#owners.has(key) || this.#unknown.get(key) === true) return this.#deps.answer([key]);
    this.#waiting.set(
      key,
      this.#deps.clock.after(ANSWER_WAIT_MS, () => this.#giveUp(key)),
    );
    this.#deps.subscribe(key);
  }

  /** No answer is not the answer "there is none": who waits is told so, and the next one asks anew. */
  #giveUp(key: string): void {
    this.#waiting.delete(key);
    this.#deps.unsubscribe([key]);
    this.#deps.overdue([key]);
  }

  /** Notes a push that was applied. @param removed names that are gone, and keys of which there is nothing */
  pushed(resources: readonly Pick<ReceivedResource, 'name' | 'aliases'>[], removed: readonly string[]): void {
    const answered = new Set(removed);
    for (const name of removed) this.#disown(name, []);
    for (const { name, aliases } of resources) {
      const keys = [name, ...aliases].filter((key) => this.#isAsked(key));
      for (const key of keys) this.#own(key, name, answered);
      this.#disown(name, keys);
      if (keys.length > 0) this.#keysByName.set(name, keys);
    }
    this.#settle([...answered].filter((key) => this.#waiting.has(key)));
    this.#forgetEvicted();
  }

  /** Ends all waiting without an answer. */
  stop(): void {
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
  }

  #isAsked(key: string): boolean {
    return this.#waiting.has(key) || this.#owners.has(key) || this.#unknown.has(key);
  }

  #own(key: string, name: string, answered: Set<string>): void {
    const owners = this.#owners.get(key);
    if (owners === undefined) this.#owners.set(key, new Set([name]));
    else owners.add(name);
    this.#unknown.delete(key);
    answered.add(key);
  }

  /** The resource has only these keys now. */
  #disown(name: string, keys: readonly string[]): void {
    for (const key of this.#keysByName.get(name) ?? []) {
      if (keys.includes(key)) continue;
      const owners = this.#owners.get(key);
      owners?.delete(name);
      if (owners?.size !== 0) continue;
      this.#owners.delete(key);
      this.#unknown.set(key, true);
    }
    this.#keysByName.delete(name);
  }

  /** Ends the waiting for these keys; those that nothing was found for are unknown from now on. */
  #settle(keys: readonly string[]): void {
    for (const key of keys) {
      this.#waiting.get(key)?.cancel();
      this.#waiting.delete(key);
      if (!this.#owners.has(key)) this.#unknown.set(key, true);
    }
    if (keys.length > 0) this.#deps.answer(keys);
    this.#forgetEvicted();
  }

  #forgetEvicted(): void {
    if (this.#evicted.length === 0) return;
    const keys = this.#evicted;
    this.#evicted = [];
    this.#deps.unsubscribe(keys);
    this.#deps.forget(keys);
  }
}
