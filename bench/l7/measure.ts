/** Lines of the L7 bench: contestants take turns under the same load, medians count. */
import { cpuUs } from '../l4/process-cost.ts';
import { median, ratioByRound } from '../quantiles.ts';
import type { Contestant } from './contestant.ts';
import type { Load } from './load.ts';

/** How often, and how long each time. */
export interface Rounds {
  readonly rounds: number;
  readonly seconds: number;
}

/** Until a program that compiles itself has compiled what matters; none for runs that measure nothing. */
const WARM_UP_SECONDS = Number(process.env['BENCH_WARM_UP'] ?? 3);

interface Sample {
  readonly perSecond: number;
  readonly cpuUsPerRequest: number;
}

export interface Line {
  readonly title: string;
  readonly connections: number;
  readonly results: readonly (Sample & { readonly name: string; readonly samples: readonly Sample[] })[];
}

/** Rounds over all contestants in turns; the first of `contestants` is compared with the others. */
export async function measure(
  { title, connections, load }: { readonly title: string; readonly connections: number; readonly load: Load },
  contestants: readonly Contestant[],
  { rounds, seconds }: Rounds,
): Promise<Line> {
  const samples = contestants.map((): Sample[] => []);
  // Compiled code, pools and caches of a first round are not counted.
  const warmUpSeconds = Math.min(WARM_UP_SECONDS, rounds * seconds);
  if (warmUpSeconds > 0) for (const contestant of contestants) await sample(contestant, load, warmUpSeconds);
  for (let round = 0; round < rounds; round++) {
    for (const [index, one] of contestants.entries()) samples[index]?.push(await sample(one, load, seconds));
  }
  const results = contestants.map(({ name }, index) => {
    const own = samples[index] ?? [];
    return {
      name,
      perSecond: median(own.map(({ perSecond }) => perSecond)),
      cpuUsPerRequest: median(own.map(({ cpuUsPerRequest }) => cpuUsPerRequest)),
      samples: own,
    };
  });
  const line = { title, connections, results };
  print(line);
  return line;
}

async function sample(contestant: Contestant, load: Load, seconds: number): Promise<Sample> {
  const spentUs = () => contestant.pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const beforeUs = spentUs();
  const { requests, perSecond } = await load(contestant, seconds).catch((cause: unknown) => {
    throw new Error(`${contestant.name} was not measured`, { cause });
  });
  return { perSecond, cpuUsPerRequest: (spentUs() - beforeUs) / requests };
}

function print({ title, connections, results }: Line): void {
  console.log(`${title}, ${connections} connections`);
  const ours = results[0]?.samples ?? [];
  for (const { name, perSecond, cpuUsPerRequest, samples } of results) {
    const cpu = ratioByRound(ours, samples, (one) => one.cpuUsPerRequest).toFixed(2);
    const rate = ratioByRound(ours, samples, (one) => one.perSecond).toFixed(2);
    const measured = `${perSecond.toFixed(0)} req/s, ${cpuUsPerRequest.toFixed(1)} µs`;
    console.log(`  ${name.padEnd(24)}${measured}   ambit against it: cpu ${cpu}, rate ${rate}`);
  }
}
