/**
 * Which of many routes can match a path, without looking at each of them.
 *
 * Invariants:
 * - Candidates come in the order of the routes: by their number.
 * - A route that is left out does not match the path; one that comes may not match the request.
 */

/** What a route asks of the path of a request, as far as it can be looked up. */
export type PathKey =
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'prefix'; readonly prefix: string }
  /** Any path, for all that is known here. */
  | { readonly kind: 'any' };

type Numbers = readonly number[];

export type RouteTest<Subject> = (number: number, subject: Subject) => boolean;

const NONE: Numbers = [];

export class RouteIndex {
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<string, number[]>();
  /** Of the prefixes, ascending. */
  readonly #lengths: Numbers;
  readonly #any: number[] = [];

  /** @param keys by the number of the route */
  constructor(keys: readonly PathKey[]) {
    for (const [number, key] of keys.entries()) this.#add(key, number);
    this.#lengths = [...new Set([...this.#prefixes.keys()].map(({ length }) => length))].sort((a, b) => a - b);
  }

  /** The first candidate of a path for which `test` holds, by its number. @param subject what `test` is given beside it */
  find<Subject>(path: string, subject: Subject, test: RouteTest<Subject>): number | undefined {
    if (this.#exact.size === 0 && this.#lengths.length === 0) return firstOf(this.#any, subject, test);
    const lists = this.#listsFor(path);
    if (lists.length > 1) return firstOfAll(lists, subject, test);
    return firstOf(lists[0] ?? NONE, subject, test);
  }

  #add(key: PathKey, number: number): void {
    if (key.kind === 'exact') push(this.#exact, key.path, number);
    else if (key.kind === 'prefix' && key.prefix !== '') push(this.#prefixes, key.prefix, number);
    else this.#any.push(number);
  }

  #listsFor(path: string): Numbers[] {
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

function push(lists: Map<string, number[]>, key: string, number: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [number]);
  else list.push(number);
}

function firstOf<Subject>(numbers: Numbers, subject: Subject, test: RouteTest<Subject>): number | undefined {
  for (const number of numbers) if (test(number, subject)) return number;
  return undefined;
}

/** Merges the lists, each of which ascends. */
function firstOfAll<Subject>(
  lists: readonly Numbers[],
  subject: Subject,
  test: RouteTest<Subject>,
): number | undefined {
  const places = lists.map(() => 0);
  for (;;) {
    const list = leastList(lists, places);
    const number = lists[list]?.[places[list] ?? 0];
    if (number === undefined || test(number, subject)) return number;
    places[list] = (places[list] ?? 0) + 1;
  }
}

/** The list whose next number is the least. */
function leastList(lists: readonly Numbers[], places: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  let at = 0;
  for (let index = 0; index < lists.length; index++) {
    const next = lists[index]?.[places[index] ?? 0] ?? Number.POSITIVE_INFINITY;
    if (next < least) {
      least = next;
      at = index;
    }
  }
  return at;
}
