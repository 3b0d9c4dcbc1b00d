/** What happened over time: to a workload, a service, or a version of it. */
import type { EdgeHistory, EdgePoint } from '../traffic/edge-history.ts';
import type { Edge } from '../traffic/edges.ts';

/** What calls went to. */
export interface SeriesSubject {
  readonly kind: 'workload' | 'service';
  readonly namespace: string;
  readonly name: string;
  /** Of the endpoints; empty for all. */
  readonly revision: string;
}

export interface Series {
  /** Where it comes from. */
  readonly source: 'memory' | 'prometheus';
  /** In the order of time. */
  readonly points: readonly EdgePoint[];
}

/** Whether a call goes to the subject. */
export function isCallOf({ kind, namespace, name, revision }: SeriesSubject, { destination, service }: Edge): boolean {
  if (revision !== '' && destination.revision !== revision) return false;
  if (kind === 'service') return service.namespace === namespace && service.name === name;
  return destination.namespace === namespace && destination.workload === name;
}

/** The last hour, of all edges that are meant together. An edge that both ends report counts once. */
export function memorySeries(history: EdgeHistory, wanted: (edge: Edge) => boolean): Series {
  const found = history.points(wanted);
  const seen = new Set(found.filter(({ edge }) => edge.reporter !== 'destination').map(({ edge }) => endsOf(edge)));
  const counted = found.filter(({ edge }) => edge.reporter !== 'destination' || !seen.has(endsOf(edge)));
  const byTime = Map.groupBy(
    counted.flatMap(({ points }) => points),
    ({ atMs }) => atMs,
  );
  const points = [...byTime].sort(([a], [b]) => a - b).map(([atMs, parts]) => together(atMs, parts));
  return { source: 'memory', points };
}

/** Rates add up. Of latencies only those of each edge are kept: the median is their mean by requests, p99 that of the slowest. */
function together(atMs: number, parts: readonly EdgePoint[]): EdgePoint {
  const sum = (of: (point: EdgePoint) => number) => parts.reduce((total, point) => total + of(point), 0);
  const requestsPerSec = sum((point) => point.requestsPerSec);
  const slowest = parts.map(({ p99Ms }) => p99Ms).filter((value) => value !== undefined);
  return {
    atMs,
    requestsPerSec,
    errorsPerSec: sum((point) => point.errorsPerSec),
    p50Ms:
      requestsPerSec === 0 ? undefined : sum((point) => point.requestsPerSec * (point.p50Ms ?? 0)) / requestsPerSec,
    p99Ms: slowest.length === 0 ? undefined : Math.max(...slowest),
    openedPerSec: sum((point) => point.openedPerSec),
    bytesPerSec: sum((point) => point.bytesPerSec),
  };
}

function endsOf({ source, destination }: Edge): string {
  return [source.namespace, source.workload, destination.namespace, destination.workload].join('|');
}
