/** What is measured as fast as it goes: rates, CPU of both proxies for one unit, median latency. */
import { median, ratioByRound } from '../quantiles.ts';
import { bulk, type Direction, type Outcome, tunnels, wrk } from './generators.ts';
import { cpuUs } from './process-cost.ts';
import type { Contestant } from './proxy-pair.ts';

export interface Line {
  readonly name: string;
  readonly unit: string;
  /** @param parallel connections or streams */
  readonly load: (contestant: Contestant, parallel: number, seconds: number) => Promise<Outcome>;
  readonly parallel: number;
  /** Default `WARM_UP_SECONDS`. */
  readonly warmUpSeconds?: number;
}

/** At most; none for runs that measure nothing. */
const WARM_UP_SECONDS = Number(process.env['BENCH_WARM_UP'] ?? 4);

const requests = (parallel: number): Line => ({
  name: `1 KB requests, ${parallel} connection${parallel === 1 ? '' : 's'}`,
  unit: 'req/s',
  load: wrk,
  parallel,
});
const newTunnels: Line = {
  name: 'new tunnels, 16 parallel',
  unit: 'tunnels/s',
  load: tunnels,
  parallel: 16,
  // What a program does once for each connection it compiles later than what it does for each request.
  warmUpSeconds: 8,
};
const streams = (parallel: number, direction: Direction = 'to the server'): Line => ({
  name: `bulk${direction === 'to the client' ? ` ${direction}` : ''}, ${parallel} stream${parallel === 1 ? '' : 's'}`,
  unit: 'Gbit/s',
  load: (contestant, count, seconds) => bulk(contestant, direction, count, seconds),
  parallel,
});

export const LINES: readonly Line[] = [
  ...[1, 16, 64].map(requests),
  newTunnels,
  streams(1),
  streams(1, 'to the client'),
  streams(8),
  streams(16),
];
/** Those of the comparison with sidecars: their applications speak HTTP. */
export const SIDECAR_LINES: readonly Line[] = [16, 64].map(requests);
/** Those that many connections can share. */
export const TWO_CORE_LINES: readonly Line[] = [requests(64), newTunnels, streams(8)];

interface Sample {
  readonly rate: number;
  readonly cpuUsPerUnit: number;
  readonly p50Us: number;
}

export interface Median extends Sample {
  readonly name: string;
  readonly samples: readonly Sample[];
}

export interface Repetition {
  readonly rounds: number;
  readonly seconds: number;
}

async function measure(line: Line, contestant: Contestant, seconds: number): Promise<Sample> {
  const { clientPid, serverPid } = contestant.pair;
  const before = cpuUs(clientPid) + cpuUs(serverPid);
  const result = await line.load(contestant, line.parallel, seconds);
  const spentUs = cpuUs(clientPid) + cpuUs(serverPid) - before;
  return {
    rate: result.perSecond ?? result.gigabitsPerSecond ?? Number.NaN,
    cpuUsPerUnit: spentUs / result.count,
    p50Us: result.p50Us ?? Number.NaN,
  };
}

/** Rounds of one line over all contestants, in turns. */
export async function measureLine(
  line: Line,
  contestants: readonly Contestant[],
  { rounds, seconds }: Repetition,
): Promise<Omit<Line, 'load'> & { readonly results: readonly Median[] }> {
  const samples = contestants.map((): Sample[] => []);
  // Compiled code and pools that are still being filled are not counted.
  const warmUpSeconds = WARM_UP_SECONDS === 0 ? 0 : (line.warmUpSeconds ?? Math.min(WARM_UP_SECONDS, rounds * seconds));
  if (warmUpSeconds > 0)
    for (const contestant of contestants) await line.load(contestant, line.parallel, warmUpSeconds);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries())
      samples[index]?.push(await measure(line, contestant, seconds));
  }
  const results = contestants.map(({ name }, index) => {
    const list = samples[index] ?? [];
    return {
      name,
      rate: median(list.map(({ rate }) => rate)),
      cpuUsPerUnit: median(list.map(({ cpuUsPerUnit }) => cpuUsPerUnit)),
      p50Us: median(list.map(({ p50Us }) => p50Us)),
      samples: list,
    };
  });
  printLine(line, results);
  const { name, unit, parallel } = line;
  return { name, unit, parallel, results };
}

function printLine({ name, unit }: Line, results: readonly Median[]): void {
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  console.log(name);
  const [ours] = results;
  for (const result of results) {
    const cpu = unit === 'Gbit/s' ? `${number(result.cpuUsPerUnit / 1000)} ms/GB` : `${number(result.cpuUsPerUnit)} µs`;
    const p50 = Number.isNaN(result.p50Us) ? '' : `, p50 ${number(result.p50Us)} µs`;
    const ratio = (value: (sample: Sample) => number) =>
      ours === undefined ? '' : ratioByRound(ours.samples, result.samples, value).toFixed(2);
    const ratios = [`rate ${ratio((one) => one.rate)}`, `cpu ${ratio((one) => one.cpuUsPerUnit)}`];
    if (p50 !== '') ratios.push(`p50 ${ratio((one) => one.p50Us)}`);
    const against = result === ours ? '' : `the first against it: ${ratios.join(', ')}`;
    console.log(`  ${result.name.padEnd(20)}${`${number(result.rate)} ${unit}, ${cpu}${p50}`.padEnd(44)}${against}`);
  }
}
