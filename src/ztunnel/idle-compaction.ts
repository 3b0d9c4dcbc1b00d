/** Compacts the heap of a thread that grew, once the thread has next to nothing to do. */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../base/clock.ts';
import { compactHeap } from './compact-heap.ts';
import { IdleRest } from './idle-rest.ts';

/** A heap that grew by less is left alone. */
const WORTHWHILE_BYTES = 3 * 1024 * 1024;

export interface CompactedThread {
  /** Bytes that its heap takes from the system. */
  heapBytes(): number;
  /** The share of the time since the last call in which it was at work. */
  busyShare(): number;
  /** @returns whether it was done */
  compact(): boolean;
}

export function idleCompaction(clock: Clock, { heapBytes, busyShare, compact } = callingThread()): IdleRest {
  return new IdleRest(clock, {
    heldBytes: heapBytes,
    busyShare,
    isWorthwhile: (heldBytes, keptBytes) => heldBytes - keptBytes >= WORTHWHILE_BYTES,
    giveBack: compact,
  });
}

function callingThread(): CompactedThread {
  let last = performance.eventLoopUtilization();
  return {
    heapBytes: () => getHeapStatistics().total_heap_size,
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    compact: () => compactHeap(),
  };
}
