/** Rates of several edges together, such as all that call one service: latencies come from the sum of their histograms. */
import { edgeRates, grown, type Rates, ratesOf } from './edge-rates.ts';
import { createCounters, type Edge, type EdgeCounters, type EdgeReading } from './edges.ts';
import { mergeReporters } from './merge-reporters.ts';

export interface GroupRates extends Rates {
  readonly group: string;
}

/**
 * What happened between two readings, by group. An edge that several proxies report counts once.
 * @param groupOf undefined leaves the edge out
 * @param elapsedMs between the readings
 */
export function groupRates(
  before: EdgeReading,
  after: EdgeReading,
  elapsedMs: number,
  groupOf: (edge: Edge) => string | undefined,
): GroupRates[] {
  const groups = new Map<string, { readonly counters: EdgeCounters; open: number; deniedPerSec: number }>();
  for (const { edge, open, deniedPerSec } of mergeReporters(edgeRates(before, after, elapsedMs))) {
    const name = groupOf(edge);
    const counters = after.get(edge.key)?.counters;
    if (name === undefined || counters === undefined) continue;
    let group = groups.get(name);
    if (group === undefined) {
      group = { counters: createCounters(), open: 0, deniedPerSec: 0 };
      groups.set(name, group);
    }
    group.open += open;
    group.deniedPerSec += deniedPerSec;
    addGrowth(group.counters, before.get(edge.key)?.counters ?? createCounters(), counters);
  }
  const none = createCounters();
  return [...groups].map(([group, { counters, open, deniedPerSec }]) => ({
    ...ratesOf(none, counters, elapsedMs / 1000),
    group,
    open,
    deniedPerSec,
  }));
}

const NUMBERS = [
  'durationSumMs',
  'requestBytes',
  'responseBytes',
  'opened',
  'closed',
  'failed',
  'deniedRequests',
  'deniedConnections',
  'receivedBytes',
  'sentBytes',
] as const;

function addGrowth(sum: EdgeCounters, before: EdgeCounters, after: EdgeCounters): void {
  for (const name of NUMBERS) sum[name] += grown(before[name], after[name]);
  for (const name of ['requests', 'durationBuckets'] as const) {
    const into = sum[name] as Map<string | number, number>;
    const from = before[name] as ReadonlyMap<string | number, number>;
    for (const [key, count] of after[name]) into.set(key, (into.get(key) ?? 0) + grown(from.get(key) ?? 0, count));
  }
}
