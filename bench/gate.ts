/**
 * Fails when a run of the benches lost against its peers what the committed one had won: a ratio that is worse by more than
 * `TOLERANCE`, or that was not measured. Run: BENCH_RESULTS=folder NODE bench/gate.ts
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { changes, memoryRatios, type Ratios, speedRatios } from './compare-runs.ts';

/** Shared machines give up to so much by themselves. */
const TOLERANCE = 0.25;
const FILES = { l4: speedRatios, l7: speedRatios, 'memory-sidecars': memoryRatios } as const;
const COMMITTED = join(import.meta.dirname, 'results');

const folder = process.env['BENCH_RESULTS'];
if (folder === undefined || resolve(folder) === COMMITTED) {
  console.error(
    'gate: name the folder of a run to compare: BENCH_RESULTS=/tmp/run make bench, then make bench-gate with the same',
  );
  process.exit(2);
}

function ratiosOf(path: string, read: (document: never) => Ratios): Ratios {
  try {
    return read(JSON.parse(readFileSync(path, 'utf8')) as never);
  } catch (cause) {
    throw new Error(`${path} cannot be compared`, { cause });
  }
}

const all = Object.entries(FILES).flatMap(([name, read]) => {
  const [before, now] = [COMMITTED, folder].map((place) => ratiosOf(join(place, `${name}.json`), read));
  return before === undefined || now === undefined ? [] : changes(before, now, TOLERANCE);
});
for (const { what, before, now, isLost } of all)
  console.log(`${isLost ? 'LOST' : 'ok  '}  ${what}: ${before.toFixed(3)} -> ${now.toFixed(3)}`);
const lost = all.filter(({ isLost }) => isLost).length;
if (lost > 0) {
  console.error(`${lost} ratios are worse by more than ${TOLERANCE * 100} % than those of bench/results`);
  process.exit(1);
}
