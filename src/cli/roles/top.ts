/** `ambit top`: the busiest services, workloads or edges, again and again. */
import { sleep } from '../../base/clock.ts';
import type { Edge } from '../../traffic/edges.ts';
import { type GroupRates, groupRates } from '../../traffic/group-rates.ts';
import { LabelCache } from '../../traffic/parse-exposition.ts';
import { secondLegs } from '../../traffic/waypoint-legs.ts';
import { commandClock } from '../command-clock.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { type MeshReading, readEdges } from '../mesh/read-edges.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';
import { milliseconds, peerName, percent, perSecond, serviceName } from '../rate-cells.ts';
import { textTable } from '../text-table.ts';

export type TopGrouping = 'service' | 'workload' | 'edge';

export interface TopFlags extends MeshFlags {
  readonly by: TopGrouping;
  readonly namespace?: string;
  readonly window: number;
  readonly once: boolean;
  readonly output?: 'json' | 'yaml';
}

/** To the upper left corner, and all below it away. */
const REDRAW = '\u001b[H\u001b[J';
const FALLBACK_ROWS = 24;

/** On a terminal until it is interrupted, else once. @throws AmbitError */
export async function runTop(flags: TopFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  const isLive = process.stdout.isTTY && !flags.once && flags.output === undefined;
  try {
    const cache = new LabelCache();
    let before = await readEdges(access, cache);
    if (isLive) printLine(`${access.where}: watching for ${flags.window / 1000} s`);
    do {
      await sleep(commandClock, flags.window);
      const after = await readEdges(access, cache);
      print(ratesBetween(before, after, flags), after, flags, isLive);
      before = after;
    } while (isLive);
  } finally {
    access.close();
  }
}

function ratesBetween(before: MeshReading, after: MeshReading, { by, namespace }: TopFlags): GroupRates[] {
  const isWanted = ({ source, destination, service }: Edge) =>
    namespace === undefined || [source.namespace, destination.namespace, service.namespace].includes(namespace);
  const all = [...after.edges.values()].map(({ edge }) => edge);
  // A row of an edge is one leg; a service has its connections once.
  const isSecondLeg = by === 'service' ? secondLegs(all, after.waypoints) : () => false;
  const groupOf = (edge: Edge) => (isWanted(edge) && !isSecondLeg(edge) ? groupName(edge, by) : undefined);
  const rates = groupRates(before.edges, after.edges, after.atMs - before.atMs, groupOf);
  return rates.sort(
    (a, b) => b.requestsPerSec - a.requestsPerSec || b.openedPerSec - a.openedPerSec || b.open - a.open,
  );
}

function groupName({ source, destination, service }: Edge, by: TopGrouping): string | undefined {
  if (by === 'service') return service.name === '' ? undefined : serviceName(service);
  if (by === 'workload') return peerName(destination);
  return `${peerName(source)} > ${peerName(destination)}`;
}

function print(rates: readonly GroupRates[], { missing }: MeshReading, flags: TopFlags, isLive: boolean): void {
  for (const line of missing) process.stderr.write(`missing: ${line}\n`);
  if (flags.output !== undefined) return printValue(rates, flags.output);
  const heading = [flags.by.toUpperCase(), 'RPS', 'SUCCESS', 'DENIED/S', 'P50', 'P95', 'P99', 'CONNECTIONS', 'NEW/S'];
  const rows = isLive ? rates.slice(0, (process.stdout.rows || FALLBACK_ROWS) - 2) : rates;
  const table = textTable(heading, rows.map(cellsOf));
  const none = rates.length === 0 ? `no traffic was seen in ${flags.window / 1000} s\n` : '';
  process.stdout.write(`${isLive ? REDRAW : ''}${none || table}`);
}

function cellsOf({
  group,
  requestsPerSec,
  successShare,
  deniedPerSec,
  p50Ms,
  p95Ms,
  p99Ms,
  open,
  openedPerSec,
}: GroupRates): string[] {
  const hasRequests = requestsPerSec > 0;
  return [
    group,
    hasRequests ? requestsPerSec.toFixed(1) : '-',
    percent(successShare),
    perSecond(deniedPerSec),
    milliseconds(p50Ms),
    milliseconds(p95Ms),
    milliseconds(p99Ms),
    String(open),
    openedPerSec.toFixed(1),
  ];
}
