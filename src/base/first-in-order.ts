/** Lists of numbers, each ascending, gone through together. */

export type Numbers = readonly number[];

export type NumberTest<Subject> = (number: number, subject: Subject) => boolean;

/**
 * The first number of all lists, in ascending order, for which `test` holds; undefined where it holds for none. A number of
 * several lists may be tested more than once.
 * @param subject what `test` is given beside the number
 */
export function firstInOrder<Subject>(
  lists: readonly Numbers[],
  subject: Subject,
  test: NumberTest<Subject>,
): number | undefined {
  if (lists.length > 1 && lists.length < MERGED_FROM_LISTS) return firstOfSeveral(lists, subject, test);
  for (const number of lists.length > 1 ? merged(lists) : (lists[0] ?? NONE)) if (test(number, subject)) return number;
  return undefined;
}

/** More lists are merged first: each of them would cost every number a comparison. */
const MERGED_FROM_LISTS = 16;
const NONE: Numbers = [];

function merged(lists: readonly Numbers[]): Uint32Array {
  return Uint32Array.from(lists.flat()).sort();
}

function firstOfSeveral<Subject>(
  lists: readonly Numbers[],
  subject: Subject,
  test: NumberTest<Subject>,
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

/** Adds a number to the list of a key. */
export function addNumber(lists: Map<string, number[]>, key: string, number: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [number]);
  else list.push(number);
}
