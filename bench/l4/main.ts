/**
 * L4 speed, latency and memory of an ambit tunnel pair against HAProxy as a mutual TLS TCP pair, in the same namespaces, one
 * data thread each, in turns; then requests against a pair of Envoy sidecars, and with two threads. Load and applications
 * share one core, the proxies another: what a proxy costs is what it gets done. Prints as it goes and writes
 * bench/results/l4.json. Root is needed for the namespaces.
 *
 * Run: make bench-l4        BENCH_ROUNDS (7) and BENCH_SECONDS (1) change how long each line is measured, BENCH_TUNNELS
 * (10000) how many idle tunnels are opened, half of which come and go in a burst, SETTLE_MS (60000) how long proxies rest
 * after a burst.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { enterPrivateNetns, NetnsLab } from '../../test/helpers/netns.ts';
import { fetchEnvoy } from '../envoy/fetch-envoy.ts';
import { writeResults } from '../results.ts';
import { startAmbitPair } from './ambit-pair.ts';
import { type Entry, enter } from './contestants.ts';
import { startEnvoyPair } from './envoy-pair.ts';
import { buildFortio } from './fortio.ts';
import { startBareHaproxyPair, startHaproxyPair } from './haproxy-pairs.ts';
import { besideBulk, fixedPace, fixedPaceByFortio } from './latency.ts';
import { LINES, type Line, measureLine, SIDECAR_LINES, TWO_CORE_LINES } from './lines.ts';
import { burstMemory, idleMemory } from './memory.ts';
import { ONE_CORE, TWO_CORES } from './process-cost.ts';
import type { Contestant } from './proxy-pair.ts';

// Registries cannot be reached from the private namespace.
fetchEnvoy();
buildFortio();
enterPrivateNetns(import.meta.url, { ownProcesses: true });

const REPETITION = {
  rounds: Number(process.env['BENCH_ROUNDS'] ?? 7),
  seconds: Number(process.env['BENCH_SECONDS'] ?? 1),
};
const TUNNELS = Number(process.env['BENCH_TUNNELS'] ?? 10_000);
const BURST = {
  seconds: 2 * REPETITION.seconds,
  connections: TUNNELS / 2,
  waitMs: Number(process.env['SETTLE_MS'] ?? 60_000),
};

const ONE = { threads: 1, cores: ONE_CORE };
const TWO = { threads: 2, cores: TWO_CORES };
const AMBIT: Entry = { name: 'ambit', start: startAmbitPair, ...ONE };
const HAPROXY: Entry = { name: 'haproxy', start: startHaproxyPair, ...ONE };
const ENVOY: Entry = { name: 'envoy', start: startEnvoyPair, ...ONE };
const BARE: Entry = { name: 'haproxy-bare', start: startBareHaproxyPair, ...ONE };
const doubled = (entry: Entry): Entry => ({ ...entry, ...TWO, name: `${entry.name}-2` });

/** Contestants for as long as `use` takes. */
async function among<T>(
  entries: readonly Entry[],
  use: (contestants: readonly Contestant[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  const contestants: Contestant[] = [];
  using lab = new NetnsLab();
  try {
    for (const entry of entries) contestants.push(await enter(lab, folder, entry));
    await delay(1000);
    return await use(contestants);
  } finally {
    for (const contestant of contestants) await contestant.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function onOneCore(contestants: readonly Contestant[]) {
  const memory = [];
  for (const contestant of contestants) {
    // HAProxy takes two descriptors for each connection: most machines do not give it as many.
    memory.push(await idleMemory(contestant, contestant.name === 'ambit' ? TUNNELS : 0));
  }
  const lines = await inOrder(LINES, contestants);
  const pace = await fixedPace(contestants, REPETITION);
  const paceByFortio = await fixedPaceByFortio(contestants, REPETITION);
  const underBulk = await besideBulk(contestants, REPETITION);
  return { memory, lines, pace, paceByFortio, underBulk };
}

/** Lines one after the other. */
async function inOrder(lines: readonly Line[], contestants: readonly Contestant[]) {
  const measured = [];
  for (const line of lines) measured.push(await measureLine(line, contestants, REPETITION));
  return measured;
}

async function run(): Promise<void> {
  const burst = await among([AMBIT, HAPROXY], (contestants) => burstMemory(contestants, BURST));
  const oneCore = await among([AMBIT, HAPROXY, BARE], onOneCore);
  const sidecars = await among([AMBIT, ENVOY], (contestants) => inOrder(SIDECAR_LINES, contestants));
  const cores = cpus().length;
  if (cores < 4)
    console.log(`two cores for proxies and two for load: this machine has ${cores}, so that is not measured`);
  const twoCores =
    cores < 4
      ? []
      : await among([AMBIT, doubled(AMBIT), HAPROXY, doubled(HAPROXY)], (contestants) =>
          inOrder(TWO_CORE_LINES, contestants),
        );
  writeResults('l4', { ...REPETITION, ...oneCore, sidecars, twoCores, burst }, [
    'envoy',
    'haproxy',
    'wrk',
    'iperf3',
    'fortio',
  ]);
}

await run();
