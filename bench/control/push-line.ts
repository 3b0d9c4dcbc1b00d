/** A line of the push bench, and how it is printed. */

export interface PushLine {
  readonly workloads: number;
  readonly proxies: number;
  /** Undefined: all at once. */
  readonly perSecond: number | undefined;
  readonly changes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuMsPerChange: number;
  readonly cpuUsPerChangeAndProxy: number;
  /** Share of a core, from the moment at which the first change was due. */
  readonly cpuShare: number;
  readonly changesPerResponse: number;
  /** Of questions over HTTP, in a pass of its own. */
  readonly loopP99Ms: number;
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly peakMb: number;
}

const COLUMNS: readonly (readonly [title: string, cell: (line: PushLine) => number | string])[] = [
  ['workloads', ({ workloads }) => workloads],
  ['proxies', ({ proxies }) => proxies],
  ['per s  ', ({ perSecond }) => perSecond ?? 'at once'],
  ['p50 ms', ({ p50Ms }) => p50Ms.toFixed(1)],
  ['p99 ms', ({ p99Ms }) => p99Ms.toFixed(1)],
  ['max ms', ({ maxMs }) => maxMs.toFixed(1)],
  ['CPU ms/change', ({ cpuMsPerChange }) => cpuMsPerChange.toFixed(2)],
  ['us/change/proxy', ({ cpuUsPerChangeAndProxy }) => cpuUsPerChangeAndProxy.toFixed(0)],
  ['CPU %', ({ cpuShare }) => (cpuShare * 100).toFixed(0)],
  ['changes/push', ({ changesPerResponse }) => changesPerResponse.toFixed(1)],
  ['loop p99 ms', ({ loopP99Ms }) => loopP99Ms.toFixed(1)],
  ['RSS MB', ({ rssMb }) => rssMb.toFixed(0)],
  ['anon MB', ({ anonymousMb }) => anonymousMb.toFixed(0)],
  ['peak MB', ({ peakMb }) => peakMb.toFixed(0)],
];

export const TITLES = COLUMNS.map(([title]) => title).join('  ');

export function printed(line: PushLine): string {
  return COLUMNS.map(([title, cell]) => String(cell(line)).padStart(title.length)).join('  ');
}
