/** What listeners look for, at a data thread: connections that match go to the control thread, a bounded number a second. */
import type { Clock } from '../../base/clock.ts';
import { matchesFilter, Tap, type TapFilter, type TapRecord } from '../../telemetry/tap.ts';

const MAX_TAPPED_PER_SEC = 1000;

export class ThreadTap {
  readonly tap: Tap;
  readonly #deliver: (record: TapRecord, skipped: number) => void;
  #listening: ReturnType<Tap['listen']> | undefined;

  /** @param deliver with the number of those that were left out since the last */
  constructor(clock: Clock, deliver: (record: TapRecord, skipped: number) => void) {
    this.tap = new Tap(clock);
    this.#deliver = deliver;
  }

  /** What is looked for from now on; nothing costs nothing. */
  setFilters(filters: readonly TapFilter[]): void {
    this.#listening?.end();
    this.#listening = undefined;
    if (filters.length === 0) return;
    this.#listening = this.tap.listen({
      matches: (record) => filters.some((filter) => matchesFilter(filter, record)),
      maxPerSec: MAX_TAPPED_PER_SEC,
      deliver: (record) => {
        this.#deliver(record, this.#listening?.takeSkipped() ?? 0);
        return true;
      },
    });
  }
}
