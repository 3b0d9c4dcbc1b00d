/** What files of bench/micro measure, and how one piece of it is measured. */
import { getHeapStatistics } from 'node:v8';
import { do_not_optimize, measure } from 'mitata';

/** A piece of work that is measured by itself. */
export interface MicroBench {
  readonly name: string;
  /** Does the work once, now or until its promise is kept; nothing of it is left out by the compiler. */
  readonly run: () => unknown;
  /** How many operations one call of `run` is. Default 1. */
  readonly operations?: number;
}

/** Of one operation. */
export interface MicroResult {
  readonly name: string;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  /** On the heap of JavaScript. */
  readonly bytes: number;
}

/** Calls that are timed together: a clock takes longer than the shortest operations. */
const BATCH = 512;
const NS_PER_MS = 1e6;

/** The mean of as many calls as fit in: quantiles are those of batches for what is shorter than 65 µs. */
export async function measureBench({ name, run, operations = 1 }: MicroBench, smoke: boolean): Promise<MicroResult> {
  // What is returned is awaited where it is a promise.
  const once = () => {
    const result = run();
    do_not_optimize(result);
    return result;
  };
  const options = (ms: number) => ({
    heap: usedHeapBytes,
    min_cpu_time: ms * NS_PER_MS,
    min_samples: smoke ? 2 : 12,
    batch_samples: smoke ? 16 : BATCH,
  });
  // The first calls are the interpreter's.
  await measure(once, options(smoke ? 1 : 60));
  const { avg, p50, p99, heap } = await measure(once, options(smoke ? 1 : 250));
  const each = (value: number) => Number((value / operations).toPrecision(4));
  // A garbage collection in every batch leaves no figure.
  const bytes = Math.round((heap !== undefined && Number.isFinite(heap.avg) ? heap.avg : 0) / operations);
  return { name, meanNs: each(avg), p50Ns: each(p50), p99Ns: each(p99), bytes };
}

function usedHeapBytes(): number {
  return getHeapStatistics().used_heap_size;
}

/** Gives the items in turns, as traffic brings different ones. */
export function inTurns<T>(items: readonly T[]): () => T {
  let at = 0;
  return () => {
    at = at + 1 < items.length ? at + 1 : 0;
    return items[at] as T;
  };
}
