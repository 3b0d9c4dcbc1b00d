/**
 * What it costs when proxies connect: 100 that know nothing, 100 that lost their connections and bring the versions that they
 * hold, the same after the control plane was killed and started again, and one that has everything. Writes
 * bench/results/reconnect.json.
 *
 * Run: make bench-reconnect      BENCH_PROXIES (100); BENCH_WORKLOADS (10000,100000)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuUs, forgetPeak, memoryBytes } from '../l4/process-cost.ts';
import { writeResults } from '../results.ts';
import { BenchProxies } from './bench-proxies.ts';
import { ControlUnderTest } from './control-process.ts';

const PROXIES = Number(process.env['BENCH_PROXIES'] ?? 100);
const SIZES = (process.env['BENCH_WORKLOADS'] ?? '10000,100000').split(',').map(Number);
const SERVICES = 200;
const SETTLE_MS = 2000;

interface Line {
  readonly workloads: number;
  readonly proxies: number;
  readonly what: string;
  /** From the first connection to the answers of all types at every proxy. */
  readonly syncMs: number;
  readonly cpuMs: number;
  /** Of all proxies together: first requests and what was read. */
  readonly askedMb: number;
  readonly readMb: number;
  readonly resources: number;
  readonly peakMb: number;
  readonly rssMb: number;
  readonly anonymousMb: number;
}

const lines: Line[] = [];

async function take(what: string, workloads: number, count: number, bench: ControlUnderTest, proxies: BenchProxies) {
  await delay(SETTLE_MS);
  forgetPeak(bench.pid);
  const cpuBeforeUs = cpuUs(bench.pid);
  const syncMs = await proxies.open(bench, what !== FIRST);
  const cpuMs = (cpuUs(bench.pid) - cpuBeforeUs) / 1000;
  const { firstRequestBytes, readBytes, resources } = await proxies.totals();
  const { rss, anonymous, peak } = memoryBytes(bench.pid);
  const line: Line = {
    workloads,
    proxies: count,
    what,
    syncMs,
    cpuMs,
    askedMb: firstRequestBytes / 1e6,
    readMb: readBytes / 1e6,
    resources,
    peakMb: peak / 1e6,
    rssMb: rss / 1e6,
    anonymousMb: anonymous / 1e6,
  };
  lines.push(line);
  print(line);
}

function print(line: Line): void {
  const { workloads, proxies, what, syncMs, cpuMs, askedMb, readMb, resources, peakMb, rssMb, anonymousMb } = line;
  console.log(
    `${workloads} workloads, ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}, ${what}: in sync after ${syncMs.toFixed(0)} ms, ` +
      `CPU ${cpuMs.toFixed(0)} ms, asked with ${askedMb.toFixed(1)} MB, read ${readMb.toFixed(2)} MB (${resources} resources), ` +
      `peak ${peakMb.toFixed(0)}, then ${rssMb.toFixed(0)} MB RSS, ${anonymousMb.toFixed(0)} MB anonymous`,
  );
}

const FIRST = 'first connection';

for (const workloads of SIZES) {
  await using bench = await ControlUnderTest.start(workloads, SERVICES);
  await using many = new BenchProxies(PROXIES);
  await take(FIRST, workloads, PROXIES, bench, many);
  await many.cut();
  await take('connections cut', workloads, PROXIES, bench, many);
  await many.cut();
  await bench.restart();
  await take('control plane restarted', workloads, PROXIES, bench, many);
  await many.cut();
  await using one = new BenchProxies(1);
  await one.open(bench);
  await one.cut();
  await take('connection cut', workloads, 1, bench, one);
}
writeResults('reconnect', { proxies: PROXIES, lines });
