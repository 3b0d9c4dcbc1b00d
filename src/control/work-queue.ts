/**
 * Names of things to be looked at: each waits once, is worked on by one at a time, and is tried again when that fails.
 *
 * Invariants:
 * - A name that is added while it is worked on is worked on once more.
 * - Nothing starts sooner than `spacingMs` after the last start, so writes have a bounded rate.
 */
import { type Clock, sleep } from '../base/clock.ts';

export interface WorkQueueOptions {
  /** Between two starts. */
  readonly spacingMs: number;
  /** Before a failed one is tried again; doubles up to `maxRetryMs`. Default 1 s */
  readonly retryMs?: number;
  /** Default 60 s */
  readonly maxRetryMs?: number;
}

/** Must not reject. @returns false when it has to be tried again */
export type Work = (name: string) => Promise<boolean>;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  readonly #work: Work;
  readonly #waiting = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #stopped = new AbortController();
  #isRunning = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: WorkQueueOptions, clock: Clock, work: Work) {
    this.#options = options;
    this.#clock = clock;
    this.#work = work;
  }

  add(name: string): void {
    if (this.#stopped.signal.aborted) return;
    this.#waiting.add(name);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#ended = this.#run();
  }

  /** What waits is dropped; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#waiting.clear();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    for (;;) {
      const [name] = this.#waiting;
      if (name === undefined || signal.aborted) {
        this.#isRunning = false;
        return;
      }
      this.#waiting.delete(name);
      const done = await this.#work(name);
      if (done) this.#failures.delete(name);
      else this.#retryLater(name);
      await sleep(this.#clock, this.#options.spacingMs, signal);
    }
  }

  #retryLater(name: string): void {
    const { retryMs = 1000, maxRetryMs = 60_000 } = this.#options;
    const failures = this.#failures.get(name) ?? 0;
    this.#failures.set(name, failures + 1);
    this.#clock.after(Math.min(retryMs * 2 ** Math.min(failures, 16), maxRetryMs), () => this.add(name));
  }
}
