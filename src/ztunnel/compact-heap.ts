/**
 * Gives back what the start of a thread left in its heap: garbage, pages that are mostly empty, and compiled code that
 * ran once. It is a quarter of the memory of an idle process, and V8 by itself keeps it until the heap grows.
 */

/** A thread with a larger heap would stand still too long, and what its start left does not matter there. */
export const MAX_COMPACTED_HEAP_BYTES = 32 * 1024 * 1024;

/** What the collector needs to be asked. */
export interface CompactHeapDeps {
  /** V8's collector, present under `--expose-gc`. */
  readonly collect: NodeJS.GCFunction | undefined;
  /** Bytes in use in the heap of this thread. */
  heapBytes(): number;
}

const threadHeap: CompactHeapDeps = {
  collect: globalThis.gc,
  heapBytes: () => process.memoryUsage().heapUsed,
};

/**
 * Collects and compacts the heap of the calling thread, which stands still for some tens of milliseconds. Does nothing
 * when the heap is large or the process runs without `--expose-gc` (`bin/ambit` sets it).
 * @returns whether it was done
 */
export function compactHeap({ collect, heapBytes }: CompactHeapDeps = threadHeap): boolean {
  if (collect === undefined || heapBytes() > MAX_COMPACTED_HEAP_BYTES) return false;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  return true;
}
