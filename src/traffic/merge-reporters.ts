/**
 * The edges that people mean, from those that proxies report: a connection between two pods is counted at both ends, and a
 * request also at its waypoint.
 */
import type { EdgeRates } from './edge-rates.ts';

/**
 * One edge for what several proxies see: that of the client's proxy, else that of the server's; with requests, where a
 * waypoint sees them.
 */
export function mergeReporters(all: readonly EdgeRates[]): EdgeRates[] {
  const seen = new Set(all.filter(({ edge }) => edge.reporter !== 'destination').map(endsOf));
  return all.filter((rates) => rates.edge.reporter !== 'destination' || !seen.has(endsOf(rates)));
}

function endsOf({ edge: { source, destination } }: EdgeRates): string {
  return [source.namespace, source.workload, destination.namespace, destination.workload].join('|');
}
