/**
 * What two runs of the benches are compared by: ratios of ambit to its peers in the same run, never times.
 *
 * Invariants
 * - A line of a file has a ratio for each of its fields, or reading the file throws: what was not measured is not "no worse".
 * - A document without lines throws.
 */
import { ratioByRound } from './quantiles.ts';

/** A ratio, and whether more of it is better, or less. */
export interface Compared {
  readonly ratio: number;
  readonly better: 'more' | 'less';
}

/** By what was compared. */
export type Ratios = ReadonlyMap<string, Compared>;

interface Result {
  readonly name: string;
  /** In each round; JSON has null for what is no number. */
  readonly samples: readonly Readonly<Record<string, number | null>>[];
}

interface Line {
  readonly name?: string;
  readonly title?: string;
  readonly connections?: number;
  readonly results: readonly Result[];
}

/** l4.json, and l7.json, which has lines alone. */
export interface SpeedDocument {
  readonly lines: readonly Line[];
  readonly sidecars?: readonly Line[];
  readonly twoCores?: readonly Line[];
}

interface MemoryUse {
  readonly pssBytes: number | null;
  readonly rssBytes: number | null;
}

/** memory-sidecars.json */
export interface MemoryDocument {
  readonly lines: readonly {
    readonly pods: number;
    readonly services: number;
    readonly sidecars: { readonly busy: MemoryUse };
    readonly node: { readonly busy: MemoryUse };
  }[];
}

/** The peer by the name of who is compared with it. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  ambit: ['haproxy', 'envoy', 'envoy sidecars'],
  'ambit-2': ['haproxy-2'],
};

/** Whether more of a field is better; a line has some of them. */
const FIELDS: Readonly<Record<string, Compared['better']>> = {
  rate: 'more',
  perSecond: 'more',
  cpuUsPerUnit: 'less',
  cpuUsPerRequest: 'less',
};

/** Rates and CPU. @throws Error naming what cannot be compared */
export function speedRatios({ lines, sidecars = [], twoCores = [] }: SpeedDocument): Ratios {
  const found = new Map<string, Compared>();
  const all = [
    ...lines.map((line) => ({ line, where: '' })),
    ...sidecars.map((line) => ({ line, where: ', sidecars' })),
    ...twoCores.map((line) => ({ line, where: ', two cores' })),
  ];
  for (const { line, where } of all)
    for (const [ours, theirs] of pairs(line))
      for (const [field, better] of Object.entries(FIELDS)) {
        if (ours.samples[0]?.[field] === undefined) continue;
        const value = (round: Result['samples'][number]) => round[field] ?? Number.NaN;
        const ratio = ratioByRound(ours.samples, theirs.samples, value);
        add(found, `${nameOf(line)}${where}: ${ours.name} against ${theirs.name}: ${field}`, { ratio, better });
      }
  return notEmpty(found);
}

/** Memory of a node against its sidecars'. @throws Error naming what cannot be compared */
export function memoryRatios({ lines }: MemoryDocument): Ratios {
  const found = new Map<string, Compared>();
  for (const { pods, services, sidecars, node } of lines)
    for (const field of ['pssBytes', 'rssBytes'] as const) {
      const ratio = (node.busy[field] ?? Number.NaN) / (sidecars.busy[field] ?? Number.NaN);
      add(found, `memory, ${pods} pods, ${services} services: ${field}`, { ratio, better: 'less' });
    }
  return notEmpty(found);
}

/** How one ratio changed. */
export interface Change {
  readonly what: string;
  readonly before: number;
  readonly now: number;
  readonly isLost: boolean;
}

/**
 * Everything of `before` in `now`.
 * @param tolerance share by which a ratio may be worse
 * @throws Error when something was not measured now
 */
export function changes(before: Ratios, now: Ratios, tolerance: number): readonly Change[] {
  return [...before].map(([what, { ratio, better }]) => {
    const measured = now.get(what)?.ratio;
    if (measured === undefined) throw new Error(`${what} was not measured`);
    const gain = better === 'more' ? measured / ratio : ratio / measured;
    return { what, before: ratio, now: measured, isLost: gain < 1 - tolerance };
  });
}

/** Every contestant of a line with its peer in it. */
function pairs({ results }: Line): (readonly [Result, Result])[] {
  return results.flatMap((ours) => {
    const theirs = results.find(({ name }) => PEERS[ours.name]?.includes(name));
    return theirs === undefined ? [] : [[ours, theirs] as const];
  });
}

function nameOf({ name, title, connections }: Line): string {
  return name ?? `${title}, ${connections} connections`;
}

function add(found: Map<string, Compared>, what: string, compared: Compared): void {
  if (!Number.isFinite(compared.ratio) || compared.ratio <= 0) throw new Error(`${what} has no ratio`);
  found.set(what, compared);
}

function notEmpty(found: Ratios): Ratios {
  if (found.size === 0) throw new Error('nothing in it can be compared');
  return found;
}
