/** Where results go: bench/results/NAME.json, with what is needed to read them later. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

/** `BENCH_RESULTS` names another folder, for runs that are no measurement. */
const FOLDER = process.env['BENCH_RESULTS'] ?? join(import.meta.dirname, 'results');

/** Writes the results with machine, commit and date. */
export function writeResults(name: string, results: object): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const document = { date: new Date().toISOString(), commit, machine, ...results };
  const file = join(FOLDER, `${name}.json`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`written to ${file}`);
}
