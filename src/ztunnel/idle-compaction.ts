/**
 * Gives memory back after a burst: what many pods, connections or a large feed left in a heap, once its thread has next
 * to nothing to do. V8 by itself keeps that until the heap grows again.
 *
 * Invariant: a thread that is at work never stands still for it.
 */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '../base/clock.ts';
import { compactHeap } from './compact-heap.ts';

const PERIOD_MS = 10_000;
/** Of the time since the last look, above which the thread counts as busy. */
const BUSY_SHARE = 0.02;
/** A heap that grew by less is left alone. */
const WORTHWHILE_BYTES = 3 * 1024 * 1024;

export interface IdleCompactionDeps {
  readonly clock: Clock;
  /** Bytes that the heap of this thread takes from the system. */
  heapBytes(): number;
  /** The share of the time since the last call in which the thread was at work. */
  busyShare(): number;
  /** @returns whether it was done */
  compact(): boolean;
}

export class IdleCompaction {
  readonly #deps: IdleCompactionDeps;
  #keptBytes = 0;
  #timer: Timer | undefined;

  constructor(deps: IdleCompactionDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#deps.busyShare();
    this.#timer = this.#deps.clock.after(PERIOD_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { clock, heapBytes, busyShare, compact } = this.#deps;
    this.#timer = clock.after(PERIOD_MS, () => this.#look());
    const isBusy = busyShare() > BUSY_SHARE;
    if (isBusy || heapBytes() - this.#keptBytes < WORTHWHILE_BYTES) return;
    compact();
    // Also where it was not done: a heap that is too large is not looked at again before it has grown.
    this.#keptBytes = heapBytes();
  }
}

/** For the heap of the calling thread. */
export function idleCompaction(clock: Clock): IdleCompaction {
  let last = performance.eventLoopUtilization();
  return new IdleCompaction({
    clock,
    heapBytes: () => getHeapStatistics().total_heap_size,
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    compact: () => compactHeap(),
  });
}
