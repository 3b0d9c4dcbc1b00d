/**
 * Which of many routes can match a path, without looking at each of them.
 *
 * Invariants:
 * - Candidates come in the order of the routes: by their number.
 * - A route that is left out does not match the path; one that comes may not match the request.
 */
import { addNumber, firstInOrder, type Numbers, type NumberTest } from '../base/first-in-order.ts';

/** What a route asks of the path of a request, as far as it can be looked up. */
export type PathKey =
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'prefix'; readonly prefix: string }
  /** Any path, for all that is known here. */
  | { readonly kind: 'any' };

export class RouteIndex {
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<string, number[]>();
  /** Of the prefixes, ascending. */
  readonly #lengths: Numbers;
  readonly #any: number[] = [];
  /** For paths that nothing is known of. */
  readonly #onlyAny: readonly Numbers[] = [this.#any];

  /** @param keys by the number of the route */
  constructor(keys: readonly PathKey[]) {
    for (const [number, key] of keys.entries()) this.#add(key, number);
    this.#lengths = [...new Set([...this.#prefixes.keys()].map(({ length }) => length))].sort((a, b) => a - b);
  }

  /** The first candidate of a path for which `test` holds, by its number. @param subject what `test` is given beside it */
  find<Subject>(path: string, subject: Subject, test: NumberTest<Subject>): number | undefined {
    return firstInOrder(this.#listsFor(path), subject, test);
  }

  #add(key: PathKey, number: number): void {
    if (key.kind === 'exact') addNumber(this.#exact, key.path, number);
    else if (key.kind === 'prefix' && key.prefix !== '') addNumber(this.#prefixes, key.prefix, number);
    else this.#any.push(number);
  }

  #listsFor(path: string): readonly Numbers[] {
    if (this.#exact.size === 0 && this.#lengths.length === 0) return this.#onlyAny;
    const lists: Numbers[] = this.#any.length === 0 ? [] : [this.#any];
    const exact = this.#exact.get(path);
    if (exact !== undefined) lists.push(exact);
    for (const length of this.#lengths) {
      if (length > path.length) break;
      const found = this.#prefixes.get(length === path.length ? path : path.slice(0, length));
      if (found !== undefined) lists.push(found);
    }
    return lists;
  }
}
