/**
 * Answers of an API server that count for a short while.
 *
 * Invariants:
 * - What is asked twice at a time is asked once.
 * - Answers are bounded in number and in time, and so are questions that are under way: a flood of different ones does not
 *   reach the API server as such.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';

export interface ReviewCacheOptions<T> {
  readonly maxAnswers: number;
  readonly maxRunning: number;
  /** How long an answer counts; 0: not at all. */
  readonly keepMs: (answer: T) => number;
}

export class ReviewCache<T extends object> {
  readonly #options: ReviewCacheOptions<T>;
  readonly #clock: Clock;
  readonly #known: LRUCache<string, { readonly answer: T; readonly endMs: number }>;
  readonly #running = new Map<string, Promise<T>>();

  constructor(options: ReviewCacheOptions<T>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#known = new LRUCache({ max: options.maxAnswers });
  }

  /**
   * The answer to a question, asked only where none counts.
   * @returns undefined when too many questions are under way
   */
  async answer(key: string, ask: () => Promise<T>): Promise<T | undefined> {
    const known = this.#known.get(key);
    if (known !== undefined && this.#clock.monotonicMs() < known.endMs) return known.answer;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#running.size >= this.#options.maxRunning) return undefined;
    const asking = ask().finally(() => this.#running.delete(key));
    this.#running.set(key, asking);
    const answer = await asking;
    const keepMs = this.#options.keepMs(answer);
    if (keepMs > 0) this.#known.set(key, { answer, endMs: this.#clock.monotonicMs() + keepMs });
    return answer;
  }
}
