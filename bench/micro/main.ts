/**
 * Every micro bench: files below this folder mirror src/, and each is measured in a process of its own, so that what was
 * compiled for one does not slow another. Prints a table and writes bench/results/micro.json.
 *
 * Run: make bench-micro        MICRO_SMOKE=1 takes seconds, to see that all run. Arguments: only these files, and no results.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { writeResults } from '../results.ts';
import type { MicroResult } from './suite.ts';

const SUBJECTS = [
  'authz/evaluate',
  'authz/request-policy',
  'routing/compile-routes',
  'mesh/endpoint-picker',
  'balance/make-balancer',
  'http2/hpack',
  'http2/frames',
  'http2/tunnel',
  'http1/heads',
  'telemetry/metrics',
  'xds/delta-feed',
];

/** @returns of each bench of the file */
function measure(subject: string): MicroResult[] {
  const runner = join(import.meta.dirname, 'run-suite.ts');
  const text = execFileSync(process.execPath, ['--expose-gc', runner, subject], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as MicroResult);
}

function time(ns: number): string {
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  return ns < 1e6 ? `${(ns / 1000).toFixed(2)} µs` : `${(ns / 1e6).toFixed(2)} ms`;
}

const asked = process.argv.slice(2);
const suites = SUBJECTS.filter((subject) => asked.length === 0 || asked.includes(subject)).map((subject) => {
  const results = measure(subject);
  console.log(`src/${subject}`);
  for (const { name, meanNs, p50Ns, p99Ns, bytes } of results) {
    const times = [meanNs, p50Ns, p99Ns].map((ns) => time(ns).padStart(10)).join('');
    console.log(`  ${name.padEnd(64)}${times}${`${bytes} B`.padStart(11)}`);
  }
  return { subject, results };
});
if (asked.length === 0) writeResults('micro', { suites });
