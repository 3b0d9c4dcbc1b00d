/**
 * How long it takes from a pod's address at the API server to the address at all node proxies, with 1,000 to 100,000 other
 * workloads, 1 to 100 proxies and 10 to 200 changes a second; what it costs the control plane; and a thousand pods at once.
 * The API server is the one of the tests; it and the proxies are processes of their own. Writes bench/results/push.json.
 *
 * Run: make bench-push      PUSH_SECONDS (5) for each line; BENCH_WORKLOADS (1000,10000,100000)
 */
import { cpuUs, forgetPeak, memoryBytes } from '../l4/process-cost.ts';
import { spread } from '../quantiles.ts';
import { writeResults } from '../results.ts';
import { BenchProxies } from './bench-proxies.ts';
import { ControlUnderTest } from './control-process.ts';
import { whileAsking } from './loop-delay.ts';
import { type PushLine, printed, TITLES } from './push-line.ts';
import { announce, type PushLoad, push } from './push-load.ts';

const SECONDS = Number(process.env['PUSH_SECONDS'] ?? 5);
const SIZES = (process.env['BENCH_WORKLOADS'] ?? '1000,10000,100000').split(',').map(Number);
const SERVICES = 200;
/** At most, for the delay of the loop. */
const LOOP_SECONDS = 2;
/** Proxies and changes a second. */
const FULL = [1, 10, 100].flatMap((proxies) => [10, 50, 200].map((perSecond) => [proxies, perSecond] as const));
const LOADS: Readonly<Record<number, readonly (readonly [proxies: number, perSecond: number])[]>> = {
  1000: [[10, 50]],
  10000: FULL,
  100000: [
    [10, 50],
    [100, 200],
  ],
};
const BURST_PODS = 1000;

let nextPod = 0;

function nextLoad(perSecond: number | undefined, seconds: number): PushLoad {
  const first = nextPod;
  const changes = perSecond === undefined ? BURST_PODS : Math.max(1, perSecond * seconds);
  nextPod += changes;
  return { first, changes, perSecond };
}

async function measure(bench: ControlUnderTest, workloads: number, proxyCount: number, perSecond: number | undefined) {
  await using proxies = new BenchProxies(proxyCount);
  await proxies.open(bench);
  const load = nextLoad(perSecond, SECONDS);
  await announce(bench, load);
  const responsesBefore = (await proxies.totals()).responses;
  forgetPeak(bench.pid);
  const cpuBeforeUs = cpuUs(bench.pid);
  const { startNs, latenciesMs } = await push(bench, proxies, load);
  const usedUs = cpuUs(bench.pid) - cpuBeforeUs;
  const tookMs = Number(process.hrtime.bigint() - startNs) / 1e6;
  const responses = (await proxies.totals()).responses - responsesBefore;
  const { rss, anonymous, peak } = memoryBytes(bench.pid);
  const line: PushLine = {
    workloads,
    proxies: proxyCount,
    perSecond,
    changes: load.changes,
    ...spread(latenciesMs),
    cpuMsPerChange: usedUs / 1000 / load.changes,
    cpuUsPerChangeAndProxy: usedUs / load.changes / proxyCount,
    cpuShare: usedUs / 1000 / tookMs,
    changesPerResponse: (load.changes * proxyCount) / responses,
    loopP99Ms: await loopP99Ms(bench, proxies, perSecond),
    rssMb: rss / 1e6,
    anonymousMb: anonymous / 1e6,
    peakMb: peak / 1e6,
  };
  return line;
}

/** Under the same load once more: the questions cost the control plane more than a few changes a second do. */
async function loopP99Ms(bench: ControlUnderTest, proxies: BenchProxies, perSecond: number | undefined) {
  const load = nextLoad(perSecond, Math.min(SECONDS, LOOP_SECONDS));
  await announce(bench, load);
  const { answersMs } = await whileAsking(bench.readyUrl, () => push(bench, proxies, load));
  return spread(answersMs).p99Ms;
}

const lines: PushLine[] = [];
const sizes: { workloads: number; readyMs: number }[] = [];
console.log(TITLES);
for (const workloads of SIZES) {
  await using bench = await ControlUnderTest.start(workloads, SERVICES);
  sizes.push({ workloads, readyMs: bench.readyMs });
  nextPod = workloads;
  for (const [proxies, perSecond] of [...(LOADS[workloads] ?? [[10, 50]]), [10, undefined]] as const) {
    const line = await measure(bench, workloads, proxies, perSecond);
    console.log(printed(line));
    lines.push(line);
  }
}
writeResults('push', { seconds: SECONDS, sizes, lines });
