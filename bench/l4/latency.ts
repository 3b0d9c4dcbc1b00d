/** Latency where the proxies have time: requests at a fixed pace, alone and beside a bulk stream. */
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../quantiles.ts';
import { fortioPace } from './fortio.ts';
import { bulkUntil, type Latencies, paced } from './generators.ts';
import type { Repetition } from './lines.ts';
import type { Contestant } from './proxy-pair.ts';

const PACE_PER_SEC = 1000;
const CONNECTIONS = 16;
/** Fewer beside a bulk stream, which leaves the proxies no time: the question is how long each waits. */
const BESIDE_BULK_PER_SEC = 200;
const BESIDE_BULK_CONNECTIONS = 4;
/** A thousandth of the requests decides over p99.9: they have to be many, and in many windows, of which the median counts. */
const LONGER = 2.5;
const WINDOWS_PER_ROUND = 2;
/** How long the stream runs before requests begin; it ends behind the last of them. */
const BULK_LEAD_MS = 1000;

/** Medians of the quantiles of all rounds. */
export interface PaceResult extends Omit<Latencies, 'count'> {
  readonly name: string;
  readonly perSecond: number;
  readonly connections: number;
  /** Of the bulk stream beside it. */
  readonly gigabitsPerSecond?: number;
  readonly runs: readonly object[];
}

type Run = Latencies & { readonly gigabitsPerSecond?: number };

async function inTurns(
  contestants: readonly Contestant[],
  rounds: number,
  run: (contestant: Contestant) => Promise<Run>,
): Promise<(Latencies & { name: string; gigabitsPerSecond: number; runs: readonly Run[] })[]> {
  const runs = contestants.map((): Run[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [index, contestant] of contestants.entries())
      runs[index]?.push(whole(contestant, await run(contestant)));
  return contestants.map(({ name }, index) => {
    const list = runs[index] ?? [];
    const middle = (value: (one: Run) => number) => median(list.map(value));
    return {
      name,
      count: list.reduce((sum, { count }) => sum + count, 0),
      failures: list.reduce((sum, { failures }) => sum + failures, 0),
      p50Us: middle(({ p50Us }) => p50Us),
      p99Us: middle(({ p99Us }) => p99Us),
      p999Us: middle(({ p999Us }) => p999Us),
      gigabitsPerSecond: middle(({ gigabitsPerSecond = 0 }) => gigabitsPerSecond),
      runs: list,
    };
  });
}

/** @throws Error where requests failed: the rest of them is no measurement */
function whole({ name }: Contestant, run: Run): Run {
  if (run.failures > 0) throw new Error(`${run.failures} of ${run.count} requests at a fixed pace failed: ${name}`);
  return run;
}

/** 1,000 requests per second over 16 connections, counted from when each was due. */
export function fixedPace(
  contestants: readonly Contestant[],
  { rounds, seconds }: Repetition,
): Promise<readonly PaceResult[]> {
  return atPace(contestants, { windows: rounds * WINDOWS_PER_ROUND, by: 'each due at its time' }, (contestant) =>
    paced(contestant, PACE_PER_SEC, CONNECTIONS, seconds * LONGER),
  );
}

/** The same as fortio counts it, from when each was sent. */
export function fixedPaceByFortio(
  contestants: readonly Contestant[],
  { rounds, seconds }: Repetition,
): Promise<readonly PaceResult[]> {
  return atPace(contestants, { windows: rounds * WINDOWS_PER_ROUND, by: 'by fortio' }, (contestant) =>
    fortioPace(contestant, PACE_PER_SEC, CONNECTIONS, seconds * LONGER),
  );
}

async function atPace(
  contestants: readonly Contestant[],
  { windows, by }: { readonly windows: number; readonly by: string },
  run: (contestant: Contestant) => Promise<Run>,
): Promise<readonly PaceResult[]> {
  console.log(`${PACE_PER_SEC} requests per second, ${CONNECTIONS} connections, ${by}`);
  const results = await inTurns(contestants, windows, run);
  return results.map(({ gigabitsPerSecond: _, ...result }) => {
    print(result);
    return { ...result, perSecond: PACE_PER_SEC, connections: CONNECTIONS };
  });
}

/** Fewer requests while one stream takes all that the proxies can do. */
export async function besideBulk(
  contestants: readonly Contestant[],
  { rounds, seconds }: Repetition,
): Promise<readonly PaceResult[]> {
  console.log(
    `${BESIDE_BULK_PER_SEC} requests per second, ${BESIDE_BULK_CONNECTIONS} connections, beside a bulk stream`,
  );
  const results = await inTurns(contestants, rounds, async (contestant) => {
    const endBulk = bulkUntil(contestant);
    await delay(BULK_LEAD_MS);
    const latencies = await paced(contestant, BESIDE_BULK_PER_SEC, BESIDE_BULK_CONNECTIONS, seconds);
    return { ...latencies, gigabitsPerSecond: await endBulk() };
  });
  return results.map((result) => {
    print(result);
    return { ...result, perSecond: BESIDE_BULK_PER_SEC, connections: BESIDE_BULK_CONNECTIONS };
  });
}

function print({ name, p50Us, p99Us, p999Us, failures }: Latencies & { name: string }): void {
  const [p50, p99, p999] = [p50Us, p99Us, p999Us].map((us) => `${us.toFixed(0)} µs`);
  console.log(`  ${name.padEnd(20)}p50 ${p50}, p99 ${p99}, p99.9 ${p999}, ${failures} failed`);
}
