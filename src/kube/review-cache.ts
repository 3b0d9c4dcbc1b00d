/**
 * Answers of an API server that count for a short while.
 *
 * Invariants:
 * - What is asked twice at a time is asked once.
 * - Answers are bounded in number and in time, and so are questions that are under way: a flood of different ones does not
 *   reach the API server as such.
 * - Good answers, and asking for them again, have room of their own: a flood of bad questions takes nothing from them.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';

export interface ReviewCacheOptions<T> {
  /** Of good ones, and as many others. */
  readonly maxAnswers: number;
  /** Of those to whom the answer was good the last time, and as many others. */
  readonly maxRunning: number;
  /** How long an answer counts; 0: not at all. */
  readonly keepMs: (answer: T) => number;
  /** How much longer an answer counts while too many questions are under way; more than 0 makes it a good one. */
  readonly graceMs?: (answer: T) => number;
}

interface Known<T> {
  readonly answer: T;
  readonly endMs: number;
}

export class ReviewCache<T extends object> {
  readonly #options: ReviewCacheOptions<T>;
  readonly #clock: Clock;
  readonly #good: LRUCache<string, Known<T>>;
  readonly #other: LRUCache<string, Known<T>>;
  readonly #running = new Map<string, { readonly answer: Promise<T>; readonly isRenewal: boolean }>();

  constructor(options: ReviewCacheOptions<T>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#good = new LRUCache({ max: options.maxAnswers });
    this.#other = new LRUCache({ max: options.maxAnswers });
  }

  /**
   * The answer to a question, asked only where none counts.
   * @returns undefined when too many questions are under way
   */
  async answer(key: string, ask: () => Promise<T>): Promise<T | undefined> {
    const good = this.#good.get(key);
    const known = good ?? this.#other.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (known !== undefined && nowMs < known.endMs) return known.answer;
    const running = this.#running.get(key);
    if (running !== undefined) return running.answer;
    const isRenewal = good !== undefined;
    if (!this.#hasPlace(isRenewal)) return this.#inGrace(good, nowMs);
    const asking = ask().finally(() => this.#running.delete(key));
    this.#running.set(key, { answer: asking, isRenewal });
    const answer = await asking;
    this.#keep(key, answer);
    return answer;
  }

  #hasPlace(isRenewal: boolean): boolean {
    let taken = 0;
    for (const running of this.#running.values()) if (running.isRenewal === isRenewal) taken += 1;
    return taken < this.#options.maxRunning;
  }

  #inGrace(good: Known<T> | undefined, nowMs: number): T | undefined {
    if (good === undefined) return undefined;
    const graceMs = this.#options.graceMs?.(good.answer) ?? 0;
    return nowMs < good.endMs + graceMs ? good.answer : undefined;
  }

  #keep(key: string, answer: T): void {
    const keepMs = this.#options.keepMs(answer);
    if (keepMs === 0) return;
    const isGood = (this.#options.graceMs?.(answer) ?? 0) > 0;
    (isGood ? this.#other : this.#good).delete(key);
    (isGood ? this.#good : this.#other).set(key, { answer, endMs: this.#clock.monotonicMs() + keepMs });
  }
}
