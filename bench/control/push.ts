/**
 * How long it takes from a pod's address at the API server to the address at all node proxies, with 1,000 to 100,000 other
 * workloads, 1 to 100 proxies and 10 to 200 changes a second; what it costs the control plane; and a thousand pods at once.
 * The API server is the one of the tests; it and the proxies are processes of their own. Writes bench/results/push.json.
 *
 * Run: make bench-push      PUSH_SECONDS (5) for each line; BENCH_WORKLOADS (1000,10000,100000)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuUs, forgetPeak, memoryBytes } from '../l4/process-cost.ts';
import { spread } from '../quantiles.ts';
import { writeResults } from '../results.ts';
import { BenchProxies } from './bench-proxies.ts';
import { ControlUnderTest } from './control-process.ts';
import { whileAsking } from './loop-delay.ts';

const SECONDS = Number(process.env['PUSH_SECONDS'] ?? 5);
const SIZES = (process.env['BENCH_WORKLOADS'] ?? '1000,10000,100000').split(',').map(Number);
const SERVICES = 200;
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
/** More than any machine does one by one. */
const AT_ONCE = 1e6;
const BURST_PODS = 1000;
/** After the last change is due. */
const LIMIT_MS = 30_000;
const SETTLE_MS = 1000;

interface Line {
  readonly workloads: number;
  readonly proxies: number;
  /** Undefined: all at once. */
  readonly perSecond: number | undefined;
  readonly changes: number;
  /** Changes that did not reach every proxy in time. */
  readonly missing: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuMsPerChange: number;
  readonly cpuUsPerChangeAndProxy: number;
  /** Share of a core. */
  readonly cpuShare: number;
  readonly changesPerResponse: number;
  readonly loopP99Ms: number;
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly peakMb: number;
}

let nextPod = 0;

async function measure(bench: ControlUnderTest, workloads: number, proxyCount: number, perSecond: number | undefined) {
  await using proxies = new BenchProxies(proxyCount);
  await proxies.open(bench);
  const changes = perSecond === undefined ? BURST_PODS : Math.max(1, perSecond * SECONDS);
  const first = nextPod;
  nextPod += changes;
  await bench.ask({ kind: 'announce', first, count: changes });
  await delay(SETTLE_MS);
  forgetPeak(bench.pid);
  const before = { cpuUs: cpuUs(bench.pid), responses: (await proxies.totals()).responses, atMs: performance.now() };
  const dueMs = perSecond === undefined ? 0 : SECONDS * 1000;
  const { result, answersMs } = await whileAsking(bench.readyUrl, async () => {
    const [arrived, reply] = await Promise.all([
      proxies.arrivals(changes, dueMs + LIMIT_MS),
      bench.ask({ kind: 'churn', first, count: changes, perSecond: perSecond ?? AT_ONCE }),
    ]);
    return { arrived, reply, tookMs: performance.now() - before.atMs, usedUs: cpuUs(bench.pid) - before.cpuUs };
  });
  const { arrived, reply, tookMs, usedUs } = result;
  if (reply.kind !== 'churned') throw new Error('nothing was changed');
  const responses = (await proxies.totals()).responses - before.responses;
  const memory = memoryBytes(bench.pid);
  const latencies = latenciesMs(arrived, first, BigInt(reply.startNs), perSecond ?? AT_ONCE);
  const line: Line = {
    workloads,
    proxies: proxyCount,
    perSecond,
    changes,
    missing: changes - latencies.length,
    ...spread(latencies),
    cpuMsPerChange: usedUs / 1000 / changes,
    cpuUsPerChangeAndProxy: usedUs / changes / proxyCount,
    cpuShare: usedUs / 1000 / tookMs,
    changesPerResponse: (changes * proxyCount) / responses,
    loopP99Ms: spread(answersMs).p99Ms,
    rssMb: memory.rss / 1e6,
    anonymousMb: memory.anonymous / 1e6,
    peakMb: memory.peak / 1e6,
  };
  return line;
}

/** From the moment at which each change was due to the last proxy. */
function latenciesMs(
  arrived: ReadonlyMap<string, bigint>,
  first: number,
  startNs: bigint,
  perSecond: number,
): number[] {
  return [...arrived].map(([name, atNs]) => {
    const number = Number(name.slice(name.lastIndexOf('-') + 1));
    return Number(atNs - startNs) / 1e6 - ((number - first) / perSecond) * 1000;
  });
}

const TITLES = [
  'workloads',
  'proxies',
  'per s',
  'p50 ms',
  'p99 ms',
  'max ms',
  'missing',
  'CPU ms/change',
  'us/change/proxy',
];
const MORE_TITLES = ['CPU %', 'changes/push', 'loop p99 ms', 'RSS MB', 'anon MB', 'peak MB'];

function print(line: Line): void {
  const cells = [
    line.workloads,
    line.proxies,
    line.perSecond ?? 'at once',
    line.p50Ms.toFixed(1),
    line.p99Ms.toFixed(1),
    line.maxMs.toFixed(1),
    line.missing,
    line.cpuMsPerChange.toFixed(2),
    line.cpuUsPerChangeAndProxy.toFixed(0),
    (line.cpuShare * 100).toFixed(0),
    line.changesPerResponse.toFixed(1),
    line.loopP99Ms.toFixed(1),
    line.rssMb.toFixed(0),
    line.anonymousMb.toFixed(0),
    line.peakMb.toFixed(0),
  ];
  const widths = [...TITLES, ...MORE_TITLES].map((title) => title.length);
  console.log(cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0)).join('  '));
}

const lines: Line[] = [];
const sizes: { workloads: number; readyMs: number }[] = [];
console.log([...TITLES, ...MORE_TITLES].join('  '));
for (const workloads of SIZES) {
  await using bench = await ControlUnderTest.start(workloads, SERVICES);
  sizes.push({ workloads, readyMs: bench.readyMs });
  nextPod = workloads;
  for (const [proxies, perSecond] of [...(LOADS[workloads] ?? [[10, 50]]), [10, undefined]] as const) {
    const line = await measure(bench, workloads, proxies, perSecond);
    print(line);
    lines.push(line);
  }
}
writeResults('push', { seconds: SECONDS, sizes, lines });
