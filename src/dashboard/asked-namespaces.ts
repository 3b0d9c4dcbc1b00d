/**
 * Namespaces that somebody's pages asked for and that nothing was known of: their next request asks whether they may see
 * them.
 *
 * Invariant: what one person asks for costs nobody else anything, and its memory is bounded.
 */
import { LRUCache } from 'lru-cache';
import { isNamespaceName } from '../model/manifest/object-meta.ts';

const MAX_PEOPLE = 500;
/** Those of a large mesh without any traffic. With one more, all are forgotten: pages ask again for what they show. */
const MAX_OF_PERSON = 1000;

export class AskedNamespaces {
  readonly #byPerson = new LRUCache<string, Set<string>>({ max: MAX_PEOPLE });

  /** @param name whatever was asked for: what names no namespace is left out */
  add(person: string, name: string): void {
    if (!isNamespaceName(name)) return;
    const asked = this.#byPerson.get(person) ?? new Set();
    if (asked.size >= MAX_OF_PERSON) asked.clear();
    this.#byPerson.set(person, asked.add(name));
  }

  of(person: string): ReadonlySet<string> {
    return this.#byPerson.get(person) ?? new Set();
  }
}
