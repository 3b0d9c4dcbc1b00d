/**
 * Memory of a node: N pods with an Envoy sidecar each, against one ztunnel and one agent for all of them, and one waypoint
 * for their namespace; idle, and while every pod calls its neighbour 33 times a second, with S services in the mesh.
 *
 * Run as root: make bench-memory-sidecars      MEMORY_PODS (1,10,30,100) and MEMORY_SERVICES (10,100,1000) name what is
 * measured: all numbers of pods with 100 services, and all numbers of services with 30 pods.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchEnvoy } from '../envoy/fetch-envoy.ts';
import { writeResults } from '../results.ts';
import { inMesh } from './in-mesh.ts';
import { CALLS_PER_SEC, type Measured, type NodeSize } from './measure.ts';
import type { MemoryUse } from './process-memory.ts';
import { sidecars } from './sidecars.ts';

const numbers = (name: string, fallback: string) => (process.env[name] ?? fallback).split(',').map(Number);
const PODS = numbers('MEMORY_PODS', '1,10,30,100');
const SERVICES = numbers('MEMORY_SERVICES', '10,100,1000');
const USUAL_SERVICES = 100;
const USUAL_PODS = 30;

interface Line extends NodeSize {
  readonly sidecars: Measured;
  readonly node: Measured;
  readonly waypoint: MemoryUse;
}

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

function print({ pods, services, sidecars: theirs, node, waypoint }: Line): void {
  const ratio = (of: (use: MemoryUse) => number) => `1/${(of(theirs.busy) / of(node.busy)).toFixed(1)}`;
  console.log(
    `${pods} pods, ${services} services: sidecars PSS ${mb(theirs.busy.pssBytes)}, RSS ${mb(theirs.busy.rssBytes)}; ` +
      `ztunnel and agent PSS ${mb(node.busy.pssBytes)}, alone ${mb(node.busy.aloneBytes)} (${ratio(({ aloneBytes }) => aloneBytes)}), ` +
      `RSS ${mb(node.busy.rssBytes)} (${ratio(({ rssBytes }) => rssBytes)}); waypoint ${mb(waypoint.anonymousBytes)} anonymous; ` +
      `${spentText(theirs)} against ${spentText(node)}`,
  );
}

function spentText({ answersPerSec, cpuMsPerSec, cpuUsPerAnswer }: Measured): string {
  const answers = `${answersPerSec.toFixed(0)} answers/s`;
  if (cpuMsPerSec === undefined || cpuUsPerAnswer === undefined) return answers;
  return `${answers} with ${cpuMsPerSec.toFixed(0)} ms/s of CPU (${cpuUsPerAnswer.toFixed(0)} us each)`;
}

const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
try {
  fetchEnvoy();
  const lines: Line[] = [];
  const sizes: readonly NodeSize[] = [
    ...PODS.map((pods) => ({ pods, services: USUAL_SERVICES })),
    ...SERVICES.filter((count) => count !== USUAL_SERVICES).map((services) => ({ pods: USUAL_PODS, services })),
  ];
  for (const size of sizes) {
    const line = { ...size, sidecars: await sidecars(folder, size), ...(await inMesh(size)) };
    print(line);
    lines.push(line);
  }
  writeResults('memory-sidecars', { callsPerSecond: CALLS_PER_SEC, lines });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// Connections that were cut end in their own time.
process.exit(0);
