/**
 * The edges that people mean, from those that proxies report: a connection between two pods is counted at both ends, and a
 * request also at its waypoint.
 */
import type { EdgeRates } from './edge-rates.ts';

/**
 * One edge for what several proxies see: that of the client's proxy, else that of the server's; with requests, where a
 * waypoint sees them. Why a connection was refused is what the server's proxy knows: the edge of the client's has it, too.
 */
export function mergeReporters(all: readonly EdgeRates[]): EdgeRates[] {
  const seen = new Set(all.filter(({ edge }) => edge.reporter !== 'destination').map(endsOf));
  const denied = new Map<string, number>();
  for (const rates of all) {
    const key = calledOf(rates);
    if (rates.edge.reporter === 'destination') denied.set(key, (denied.get(key) ?? 0) + rates.deniedPerSec);
  }
  return all
    .filter((rates) => rates.edge.reporter !== 'destination' || !seen.has(endsOf(rates)))
    .map((rates) =>
      rates.edge.reporter === 'source'
        ? { ...rates, deniedPerSec: Math.max(rates.deniedPerSec, denied.get(calledOf(rates)) ?? 0) }
        : rates,
    );
}

function calledOf(rates: EdgeRates): string {
  const { service, source, destination } = rates.edge;
  return [endsOf(rates), service.namespace, service.hostname, source.principal, destination.revision].join('|');
}

function endsOf({ edge: { source, destination } }: EdgeRates): string {
  return [source.namespace, source.workload, destination.namespace, destination.workload].join('|');
}
