/** Where results go: bench/results/NAME.json, with what is needed to read them later. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Program, versions } from './versions.ts';

/** `BENCH_RESULTS` names another folder, for runs that are no measurement. */
const FOLDER = process.env['BENCH_RESULTS'] ?? join(import.meta.dirname, 'results');

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
}

/**
 * Writes the results with machine, commit (`-dirty` where files differ from it, other than results) and date.
 * @param programs that took part
 */
export function writeResults(name: string, results: object, programs: readonly Program[] = []): void {
  const changed = git('status', '--porcelain', '--', ':/', ':!/bench/results') === '' ? '' : '-dirty';
  const commit = `${git('rev-parse', '--short', 'HEAD')}${changed}`;
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const document = { date: new Date().toISOString(), commit, machine, versions: versions(programs), ...results };
  const file = join(FOLDER, `${name}.json`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`written to ${file}`);
}
