/**
 * Profiles of the calling thread's JavaScript, taken by V8. What C++ and the kernel do shows as the function that asked
 * for it; memory outside of the JavaScript heap, buffers included, does not show.
 *
 * Invariants:
 * - One profile of each kind at a time; a second request is refused.
 * - A thread that nobody profiles pays nothing: the debugger session is open only as long as it is needed.
 */
import type { Profiler } from 'node:inspector';
import type { Session } from 'node:inspector/promises';
import { type Clock, sleep } from '../base/clock.ts';
import type { StackFrame, StackSample } from './pprof.ts';

/** The mean number of bytes between two samples of allocations: what jemalloc takes by default. */
export const HEAP_SAMPLE_BYTES = 512 * 1024;

export class ThreadProfiler {
  readonly #clock: Clock;
  #cpu: Session | undefined;
  #heap: Session | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where the thread spends its time: samples with a count and nanoseconds; undefined while another profile is taken. */
  async cpu(durationMs: number, frequencyHz: number): Promise<StackSample[] | undefined> {
    if (this.#cpu !== undefined) return undefined;
    const session = connected();
    this.#cpu = session;
    try {
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: Math.round(1_000_000 / frequencyHz) });
      await session.post('Profiler.start');
      await sleep(this.#clock, durationMs);
      const { profile } = await session.post('Profiler.stop');
      return cpuSamples(profile);
    } finally {
      session.disconnect();
      this.#cpu = undefined;
    }
  }

  /** Starts or ends the sampling of allocations; asked twice for the same it does nothing. */
  async sampleHeap(active: boolean): Promise<void> {
    if (active === (this.#heap !== undefined)) return;
    if (!active) {
      this.#heap?.disconnect();
      this.#heap = undefined;
      return;
    }
    const session = connected();
    this.#heap = session;
    await session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_SAMPLE_BYTES });
  }

  /** What was allocated since sampling began and still lives, each sample with objects and bytes; undefined without sampling. */
  async heap(): Promise<StackSample[] | undefined> {
    if (this.#heap === undefined) return undefined;
    const { profile } = await this.#heap.post('HeapProfiler.getSamplingProfile');
    // The types of Node lack the ids and samples that V8 sends.
    return heapSamples(profile as unknown as AllocationProfile);
  }
}

interface AllocationNode {
  readonly callFrame: CallFrame;
  /** Bytes that the function itself allocated. */
  readonly selfSize: number;
  readonly id: number;
  readonly children: readonly AllocationNode[];
}

interface AllocationProfile {
  readonly head: AllocationNode;
  readonly samples: readonly { readonly nodeId: number }[];
}

function connected(): Session {
  // Loaded when the first profile is asked for.
  const inspector = process.getBuiltinModule('node:inspector/promises');
  const session = new inspector.Session();
  session.connect();
  return session;
}

/** What V8 calls the time in which a thread waits. */
const IDLE = '(idle)';

type CallFrame = Profiler.ProfileNode['callFrame'];

function frameOf({ functionName, url, lineNumber }: CallFrame): StackFrame {
  return { name: functionName || '(anonymous)', file: url, line: lineNumber + 1 };
}

/** Stacks with counts and times, from a tree of calls and the nodes that were seen one after the other; idle time is none. */
export function cpuSamples({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): StackSample[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const seen = new Map<number, { count: number; micros: number }>();
  for (const [index, id] of samples.entries()) {
    if (byId.get(id)?.callFrame.functionName === IDLE) continue;
    const sum = seen.get(id) ?? { count: 0, micros: 0 };
    sum.count++;
    sum.micros += Math.max(0, timeDeltas[index] ?? 0);
    seen.set(id, sum);
  }
  return [...seen].map(([id, { count, micros }]) => {
    const stack: StackFrame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = byId.get(at);
      if (node !== undefined && parents.has(at)) stack.push(frameOf(node.callFrame));
    }
    return { stack, values: [count, micros * 1000] };
  });
}

/** Stacks with objects and bytes, from V8's tree of allocations. */
export function heapSamples({ head, samples }: AllocationProfile): StackSample[] {
  const objects = new Map<number, number>();
  for (const { nodeId } of samples) objects.set(nodeId, (objects.get(nodeId) ?? 0) + 1);
  const found: StackSample[] = [];
  const visit = (node: AllocationNode, callers: readonly StackFrame[]) => {
    const stack = node === head ? [] : [frameOf(node.callFrame), ...callers];
    if (node.selfSize > 0) found.push({ stack, values: [objects.get(node.id) ?? 0, node.selfSize] });
    for (const child of node.children) visit(child, stack);
  };
  visit(head, []);
  return found;
}
