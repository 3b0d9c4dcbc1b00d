/**
 * What happened on each edge during the last hour, in steps, and just now.
 *
 * Invariants:
 * - Memory is bounded: so many edges of a reading, so many edges with steps, so many steps. Of too many in a reading those
 *   stay that were in the one before; of too many with steps those make room that were quiet the longest.
 * - Rates of now are taken over the last window of readings, whatever their distance in time.
 */
import { type EdgeRates, edgeRates } from './edge-rates.ts';
import type { Edge, EdgeReading } from './edges.ts';
import { type GroupRates, groupRates } from './group-rates.ts';

export interface EdgePoint {
  /** End of the step, wall clock. */
  readonly atMs: number;
  readonly requestsPerSec: number;
  readonly errorsPerSec: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly openedPerSec: number;
  readonly bytesPerSec: number;
}

export interface EdgeHistoryOptions {
  /** Of the steps that are kept. */
  readonly stepMs?: number;
  readonly steps?: number;
  /** Over which rates of now are taken. */
  readonly windowMs?: number;
  readonly maxEdges?: number;
  /** Of each of the few readings that are held. */
  readonly maxReadEdges?: number;
}

interface Kept {
  readonly edge: Edge;
  readonly points: EdgePoint[];
}

interface Timed {
  readonly reading: EdgeReading;
  readonly monotonicMs: number;
}

export class EdgeHistory {
  readonly #stepMs: number;
  readonly #steps: number;
  readonly #windowMs: number;
  readonly #maxEdges: number;
  readonly #maxReadEdges: number;
  readonly #recent: Timed[] = [];
  readonly #kept = new Map<string, Kept>();
  #stepStart: Timed | undefined;

  constructor(options: EdgeHistoryOptions = {}) {
    const { stepMs = 15_000, steps = 240, windowMs = 15_000, maxEdges = 5000, maxReadEdges = 20_000 } = options;
    this.#stepMs = stepMs;
    this.#steps = steps;
    this.#windowMs = windowMs;
    this.#maxEdges = maxEdges;
    this.#maxReadEdges = maxReadEdges;
  }

  /** Adds a reading. @param atMs wall clock @param monotonicMs the same moment */
  add(reading: EdgeReading, atMs: number, monotonicMs: number): void {
    const timed = { reading: this.#bounded(reading), monotonicMs };
    this.#recent.push(timed);
    while (this.#recent.length > 2 && (this.#recent[1]?.monotonicMs ?? 0) <= monotonicMs - this.#windowMs)
      this.#recent.shift();
    this.#stepStart ??= timed;
    if (monotonicMs - this.#stepStart.monotonicMs < this.#stepMs) return;
    this.#endStep(this.#stepStart, timed, atMs);
    this.#stepStart = timed;
  }

  /** What happens now; empty until there are two readings. */
  now(): EdgeRates[] {
    const [first] = this.#recent;
    const last = this.#recent.at(-1);
    if (first === undefined || last === undefined || first === last) return [];
    return edgeRates(first.reading, last.reading, last.monotonicMs - first.monotonicMs);
  }

  /** The same of several edges together. @param groupOf undefined leaves an edge out */
  groupsNow(groupOf: (edge: Edge) => string | undefined): GroupRates[] {
    const [first] = this.#recent;
    const last = this.#recent.at(-1);
    if (first === undefined || last === undefined || first === last) return [];
    return groupRates(first.reading, last.reading, last.monotonicMs - first.monotonicMs, groupOf);
  }

  /** All that is known of now or of the last hour; some twice. */
  *edges(): Iterable<Edge> {
    for (const { edge } of this.#recent.at(-1)?.reading.values() ?? []) yield edge;
    for (const { edge } of this.#kept.values()) yield edge;
  }

  /** The steps of the edges that are meant, by edge. */
  points(wanted: (edge: Edge) => boolean): { readonly edge: Edge; readonly points: readonly EdgePoint[] }[] {
    return [...this.#kept.values()].filter(({ edge }) => wanted(edge));
  }

  #bounded(reading: EdgeReading): EdgeReading {
    if (reading.size <= this.#maxReadEdges) return reading;
    const before = this.#recent.at(-1)?.reading;
    const kept = new Map([...reading].filter(([key]) => before?.has(key)));
    for (const [key, entry] of reading) {
      if (kept.size >= this.#maxReadEdges) break;
      kept.set(key, entry);
    }
    return kept;
  }

  #endStep(start: Timed, end: Timed, atMs: number): void {
    for (const rates of edgeRates(start.reading, end.reading, end.monotonicMs - start.monotonicMs)) {
      const { key } = rates.edge;
      const kept = this.#kept.get(key) ?? { edge: rates.edge, points: [] };
      // The newest are at the end.
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      kept.points.push(pointOf(rates, atMs));
      if (kept.points.length > this.#steps) kept.points.shift();
    }
    const oldestMs = atMs - this.#steps * this.#stepMs;
    for (const [key, { points }] of this.#kept) {
      const isOld = (points.at(-1)?.atMs ?? 0) < oldestMs;
      if (!isOld && this.#kept.size <= this.#maxEdges) break;
      this.#kept.delete(key);
    }
  }
}

function pointOf(rates: EdgeRates, atMs: number): EdgePoint {
  const { requestsPerSec, successShare, p50Ms, p99Ms, openedPerSec, receivedBytesPerSec, sentBytesPerSec } = rates;
  return {
    atMs,
    requestsPerSec,
    errorsPerSec: successShare === undefined ? 0 : requestsPerSec * (1 - successShare),
    p50Ms,
    p99Ms,
    openedPerSec,
    bytesPerSec: receivedBytesPerSec + sentBytesPerSec,
  };
}
