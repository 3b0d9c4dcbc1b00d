/**
 * How long it takes from a pod's address at the API server to the address at the node proxies, while the mesh has 1,000
 * to 50,000 other workloads; with the CPU and memory of the control plane. The API server is the one of the tests, in a
 * process of its own; the proxies are two delta xDS clients in this process. Writes bench/results/push.json.
 *
 * Run: make bench-push      BENCH_SAMPLES (200) pods arrive one after the other.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { FeedClient, feedRequest } from '../../test/helpers/feed-client.ts';
import { cpuUs, memoryBytes } from '../l4/process-cost.ts';
import { writeResults } from '../results.ts';
import { ControlUnderTest } from './control-process.ts';

const SIZES = [1000, 5000, 10_000, 50_000];
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 200);
const PROXIES = 2;
const SERVICES = 200;
/** Apart from one another, so that each is a push of its own. */
const PAUSE_MS = 15;

interface Line {
  readonly workloads: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuMsPerPod: number;
  readonly readyMs: number;
  readonly rssMb: number;
  readonly anonymousMb: number;
}

async function measure(workloads: number): Promise<Line> {
  await using bench = await ControlUnderTest.start(workloads, SERVICES);
  const roots = await bench.ask({ kind: 'roots' });
  if (roots.kind !== 'roots') throw new Error('no roots');
  const proxies = Array.from(
    { length: PROXIES },
    () => new FeedClient({ port: bench.grpcPort, rootsPem: roots.pem }, 'zt'),
  );
  for (const proxy of proxies) {
    proxy.stream.write(feedRequest({ resourceNamesSubscribe: ['*'] }));
    await proxy.next();
  }
  await delay(1000);
  const samples: number[] = [];
  const cpuBefore = cpuUs(bench.pid);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const received = proxies.map(async (proxy) => {
      await proxy.next();
      return process.hrtime.bigint();
    });
    const reply = await bench.ask({ kind: 'arrive', number: workloads + sample });
    if (reply.kind !== 'arrived') throw new Error('no arrival');
    for (const atNs of await Promise.all(received)) samples.push(Number(atNs - BigInt(reply.atNs)) / 1e6);
    await delay(PAUSE_MS);
  }
  const cpuMs = (cpuUs(bench.pid) - cpuBefore) / 1000;
  const memory = memoryBytes(bench.pid);
  for (const proxy of proxies) proxy.close();
  samples.sort((a, b) => a - b);
  const at = (share: number) => samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? Number.NaN;
  return {
    workloads,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    cpuMsPerPod: cpuMs / SAMPLES,
    readyMs: bench.readyMs,
    rssMb: memory.rss / 1e6,
    anonymousMb: memory.anonymous / 1e6,
  };
}

const lines: Line[] = [];
console.log('workloads   p50 ms   p99 ms   max ms   CPU ms/pod   ready s   RSS MB   anonymous MB');
for (const size of SIZES) {
  const line = await measure(size);
  lines.push(line);
  const cells = [
    [line.p50Ms.toFixed(1), 8],
    [line.p99Ms.toFixed(1), 8],
    [line.maxMs.toFixed(1), 8],
    [line.cpuMsPerPod.toFixed(2), 12],
    [(line.readyMs / 1000).toFixed(1), 9],
    [line.rssMb.toFixed(0), 8],
    [line.anonymousMb.toFixed(0), 14],
  ] as const;
  console.log(String(size).padStart(9) + cells.map(([text, width]) => text.padStart(width + 1)).join(''));
}
writeResults('push', { samples: SAMPLES, proxies: PROXIES, lines });
