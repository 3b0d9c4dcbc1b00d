/**
 * Memory of the control plane when small, with 2,000 and with 100,000 pods, and its CPU while nothing changes; memory of the
 * agent. Writes bench/results/memory.json.
 *
 * Run as root, for the agent's namespaces: make bench-memory      BENCH_WORKLOADS (20,2000,100000); memory is taken SETTLE_MS
 * (5000) after the start, CPU in BENCH_IDLE_MS (four times that) afterwards
 */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuUs, memoryBytes } from '../l4/process-cost.ts';
import { memoryOf } from '../memory/process-memory.ts';
import { writeResults } from '../results.ts';
import { AgentUnderTest } from './agent-process.ts';
import { ControlUnderTest } from './control-process.ts';

const SIZES = (process.env['BENCH_WORKLOADS'] ?? '20,2000,100000').split(',').map(Number);
const MAX_SERVICES = 200;
const PODS_PER_SERVICE = 4;
const AIMS: Readonly<Record<number, string>> = {
  20: 'RSS <= 110 MB (istiod: 127 MiB)',
  2000: 'RSS <= 150 MB (istiod: 167 MiB)',
  100000: 'RSS <= 1 GB, CPU <= 2 %',
};
const SETTLE_MS = Number(process.env['SETTLE_MS'] ?? 5000);
/** For how long CPU is looked at. */
const IDLE_MS = Number(process.env['BENCH_IDLE_MS'] ?? 4 * SETTLE_MS);

interface Line {
  readonly what: string;
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly pssMb: number;
  readonly peakMb: number;
  /** Share of a core, in percent, while nothing changes. */
  readonly idleCpuPercent: number;
  readonly aim: string;
}

const lines: Line[] = [];

async function take(what: string, aim: string, pid: number): Promise<void> {
  await delay(SETTLE_MS);
  const { rss, anonymous, peak } = memoryBytes(pid);
  const { pssBytes } = memoryOf([pid]);
  const beforeUs = cpuUs(pid);
  await delay(IDLE_MS);
  const idleCpuPercent = (cpuUs(pid) - beforeUs) / 10 / IDLE_MS;
  const pssMb = pssBytes / 1e6;
  lines.push({ what, rssMb: rss / 1e6, anonymousMb: anonymous / 1e6, pssMb, peakMb: peak / 1e6, idleCpuPercent, aim });
}

const count = (number: number) => number.toLocaleString('en');
for (const pods of SIZES) {
  const services = Math.min(MAX_SERVICES, Math.ceil(pods / PODS_PER_SERVICE));
  await using control = await ControlUnderTest.start(pods, services);
  await take(`control plane, ${count(pods)} pods, ${count(services)} services`, AIMS[pods] ?? '', control.pid);
}
{
  await using agent = await AgentUnderTest.start();
  await take('agent, 50 pods on its node of 1,000', 'RSS <= 75 MB, anonymous <= 30 MB', agent.pid);
}
for (const { what, rssMb, anonymousMb, pssMb, idleCpuPercent, aim } of lines) {
  console.log(
    `${what.padEnd(46)} RSS ${rssMb.toFixed(0).padStart(4)} MB   anonymous ${anonymousMb.toFixed(0).padStart(4)} MB   PSS ${pssMb.toFixed(0).padStart(4)} MB   idle CPU ${idleCpuPercent.toFixed(2)} %   ${aim}`,
  );
}
writeResults('memory', { lines });
