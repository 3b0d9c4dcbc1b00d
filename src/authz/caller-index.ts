/**
 * Which of many rules can hold for a caller, without asking each of them: most name their callers.
 *
 * Invariants:
 * - Candidates come in the order of the rules: by their number.
 * - A rule that is left out does not hold for the caller; one that comes may not hold for what it does.
 */
import { addNumber, firstInOrder, type Numbers, type NumberTest } from '../base/first-in-order.ts';
import type { Identity } from '../model/spiffe.ts';

/** Who asks. */
export interface Caller {
  readonly identity: Identity | undefined;
  /** Of the identity (`principalOf`). */
  readonly principal: string | undefined;
}

/** Keys of callers, one of which a caller has who can meet the rule; undefined where anybody can, for all that is known. */
export type Callers = readonly string[] | undefined;

/** `trust.domain/ns/namespace/sa/account` */
export function principalCaller(principal: string): string {
  return `p:${principal}`;
}

export function accountCaller(namespace: string, serviceAccount: string): string {
  return `s:${namespace}/${serviceAccount}`;
}

/** @param namespace empty for whoever has no identity, too */
export function namespaceCaller(namespace: string): string {
  return `n:${namespace}`;
}

/** Of whoever meets one of several; undefined where one of them can be anybody. */
export function anyOfCallers(all: readonly Callers[]): Callers {
  const keys: string[] = [];
  for (const callers of all) {
    if (callers === undefined) return undefined;
    keys.push(...callers);
  }
  return keys;
}

/** Fewer rules are asked one by one. */
const INDEXED_FROM_RULES = 16;

export class CallerIndex {
  readonly #byKey = new Map<string, number[]>();
  readonly #anybody: number[] = [];

  /** @param callers by the number of the rule */
  constructor(callers: readonly Callers[]) {
    for (const [number, keys] of callers.entries()) {
      if (keys === undefined || callers.length < INDEXED_FROM_RULES) this.#anybody.push(number);
      else for (const key of new Set(keys)) addNumber(this.#byKey, key, number);
    }
  }

  /** The first candidate for a caller for which `test` holds, by its number. @param subject what `test` is given beside it */
  find<Subject>(caller: Caller, subject: Subject, test: NumberTest<Subject>): number | undefined {
    return firstInOrder(this.#listsFor(caller), subject, test);
  }

  #listsFor(caller: Caller): readonly Numbers[] {
    const lists: Numbers[] = this.#anybody.length === 0 ? [] : [this.#anybody];
    if (this.#byKey.size === 0) return lists;
    const { namespace = '', serviceAccount = '' } = caller.identity ?? {};
    const keys = [namespaceCaller(namespace)];
    const { principal } = caller;
    if (principal !== undefined) keys.push(principalCaller(principal), accountCaller(namespace, serviceAccount));
    for (const key of keys) {
      const found = this.#byKey.get(key);
      if (found !== undefined) lists.push(found);
    }
    return lists;
  }
}
