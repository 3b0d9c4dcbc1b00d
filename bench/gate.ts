/**
 * Compares what a run measured with what is committed: the ratios of ambit to its peers in the same run, never times.
 * A ratio that is worse by more than `TOLERANCE` fails. Run: BENCH_RESULTS=folder NODE bench/gate.ts
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ratioByRound } from './quantiles.ts';

interface Result {
  readonly name: string;
  readonly samples: readonly Readonly<Record<string, number>>[];
}

interface Line {
  readonly name?: string;
  readonly title?: string;
  readonly connections?: number;
  readonly results: readonly Result[];
}

interface Document {
  readonly lines: readonly Line[];
  readonly sidecars?: readonly Line[];
}

/** Shared machines give up to so much by themselves. */
const TOLERANCE = 0.25;
/** By file: the peer, and fields with the direction that is better. */
const COMPARED = {
  l4: { peers: ['haproxy', 'envoy'], fields: { rate: 1, cpuUsPerUnit: -1 } },
  l7: { peers: ['envoy', 'envoy sidecars'], fields: { perSecond: 1, cpuUsPerRequest: -1 } },
} as const;

const committed = join(import.meta.dirname, 'results');
const measured = process.env['BENCH_RESULTS'] ?? committed;
const nameOf = ({ name, title, connections }: Line) => name ?? `${title}, ${connections} connections`;

/** `ambit / peer` for each line and field. */
function ratios(folder: string, file: keyof typeof COMPARED): Map<string, { ratio: number; better: number }> {
  const { lines, sidecars = [] }: Document = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'));
  const { peers, fields } = COMPARED[file];
  const found = new Map<string, { ratio: number; better: number }>();
  for (const line of [...lines, ...sidecars]) {
    const ours = line.results.find(({ name }) => name === 'ambit');
    const theirs = line.results.find(({ name }) => (peers as readonly string[]).includes(name));
    for (const [field, better] of Object.entries(fields)) {
      const ratio = ratioByRound(ours?.samples ?? [], theirs?.samples ?? [], (round) => Number(round[field]));
      if (Number.isFinite(ratio))
        found.set(`${file}: ${nameOf(line)}, against ${theirs?.name}: ${field}`, { ratio, better });
    }
  }
  return found;
}

let lost = 0;
for (const file of Object.keys(COMPARED) as (keyof typeof COMPARED)[]) {
  const before = ratios(committed, file);
  const now = ratios(measured, file);
  for (const [what, { ratio, better }] of before) {
    const measuredNow = now.get(what)?.ratio;
    if (measuredNow === undefined) throw new Error(`${what} was not measured: ${measured}`);
    const change = (better > 0 ? measuredNow / ratio : ratio / measuredNow) - 1;
    const isLost = change < -TOLERANCE;
    if (isLost) lost += 1;
    console.log(`${isLost ? 'LOST' : 'ok  '}  ${what}: ${ratio.toFixed(2)} -> ${measuredNow.toFixed(2)}`);
  }
}
if (lost > 0) {
  console.error(`${lost} ratios are worse by more than ${TOLERANCE * 100} % than those of bench/results`);
  process.exit(1);
}
