/**
 * Sends what is told of requests to a collector, in batches, behind the back of traffic.
 *
 * Invariants:
 * - To add something takes a push on a list: nobody waits for a collector.
 * - What is kept is bounded; beyond that, and after the last try, things are dropped and counted.
 * - One batch at a time is on its way.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';

/** How an attempt ended. `retry`: another one may help. */
export type SendOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'retry'; readonly reason: string }
  | { readonly kind: 'rejected'; readonly reason: string };

/** What happened to things of one provider; counted up for the life of the process. */
export interface ExportCounts {
  sent: number;
  dropped: number;
}

export interface BatchExporterOptions<T> {
  /** Of the provider, for the log. */
  readonly provider: string;
  readonly counts: ExportCounts;
  readonly send: (batch: readonly T[]) => Promise<SendOutcome>;
}

export interface BatchExporterDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export const MAX_QUEUED = 4096;
const MAX_BATCH = 512;
const PAUSE_MS = 1000;
const MAX_TRIES = 5;
const RETRY = { initialMs: 1000, maxMs: 30_000, jitter: 0.2 };

export class BatchExporter<T> {
  readonly #options: BatchExporterOptions<T>;
  readonly #deps: BatchExporterDeps;
  readonly #backoff: Backoff;
  #queue: T[] = [];
  #sending: readonly T[] = [];
  #tries = 0;
  #timer: Timer | undefined;
  #stopped = false;
  /** Why the last attempt failed: each reason is logged once. */
  #failure = '';

  constructor(options: BatchExporterOptions<T>, deps: BatchExporterDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#backoff = new Backoff({ ...RETRY, random: deps.random });
  }

  add(item: T): void {
    if (this.#stopped || this.#queue.length >= MAX_QUEUED) {
      this.#options.counts.dropped += 1;
      return;
    }
    this.#queue.push(item);
    if (this.#sending.length > 0) return;
    if (this.#queue.length >= MAX_BATCH) this.#start();
    else this.#timer ??= this.#deps.clock.after(PAUSE_MS, () => this.#start());
  }

  /** What is not sent yet. */
  get pending(): number {
    return this.#queue.length + this.#sending.length;
  }

  /** Sends what is there now, without a pause. */
  flush(): void {
    if (this.#queue.length > 0 && this.#sending.length === 0) this.#start();
  }

  /** Takes nothing any more; what is on its way may arrive, the rest is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#options.counts.dropped += this.#queue.length;
    this.#queue = [];
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending = this.#queue.splice(0, MAX_BATCH);
    this.#tries = 0;
    void this.#try();
  }

  async #try(): Promise<void> {
    this.#tries += 1;
    const outcome = await this.#options.send(this.#sending);
    if (outcome.kind === 'sent') return this.#sent();
    this.#failed(outcome.reason);
    if (outcome.kind === 'retry' && this.#tries < MAX_TRIES && !this.#stopped) {
      this.#timer = this.#deps.clock.after(this.#backoff.next(), () => void this.#try());
      return;
    }
    this.#options.counts.dropped += this.#sending.length;
    this.#next();
  }

  #sent(): void {
    const { counts, provider } = this.#options;
    counts.sent += this.#sending.length;
    this.#backoff.reset();
    if (this.#failure !== '') this.#deps.logger.info('a collector takes what it is sent again', { provider });
    this.#failure = '';
    this.#next();
  }

  #failed(reason: string): void {
    if (reason === this.#failure) return;
    this.#failure = reason;
    this.#deps.logger.warn('a collector cannot be told', { provider: this.#options.provider, reason });
  }

  #next(): void {
    this.#sending = [];
    this.#timer = undefined;
    if (this.#stopped || this.#queue.length === 0) return;
    if (this.#queue.length >= MAX_BATCH) this.#start();
    else this.#timer = this.#deps.clock.after(PAUSE_MS, () => this.#start());
  }
}
