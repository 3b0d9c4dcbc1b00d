/** How an edge, a workload or a service does, in three steps. */
import type { GraphEdge, Rates } from './mesh.ts';

export type Health = 'good' | 'poor' | 'bad' | 'quiet';

type Counted = Pick<Rates, 'requestsPerSec' | 'openedPerSec' | 'failedPerSec' | 'successShare'>;

const POOR = 0.99;
const BAD = 0.95;
const FEW = 0.05;

export function healthOf(all: readonly Counted[]): Health {
  const requests = all.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const connections = all.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const failed = all.reduce((sum, { failedPerSec }) => sum + failedPerSec, 0);
  if (requests + connections + failed === 0) return 'quiet';
  const lost = all.reduce((sum, one) => sum + one.requestsPerSec * (1 - (one.successShare ?? 1)), 0);
  const share = 1 - (lost + failed) / (requests + Math.max(connections, failed));
  return share < BAD ? 'bad' : share < POOR ? 'poor' : 'good';
}

/** Answers that are the client's doing, or a policy's, by their code: `403`. The commonest; empty where they are few. */
export function refusalOf(edges: readonly Pick<GraphEdge, 'codesPerSec' | 'requestsPerSec'>[]): string {
  const codes = new Map<string, number>();
  for (const { codesPerSec } of edges) {
    for (const [code, perSec] of Object.entries(codesPerSec)) {
      if (code.startsWith('4')) codes.set(code, (codes.get(code) ?? 0) + perSec);
    }
  }
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const [commonest] = [...codes].sort(([, a], [, b]) => b - a);
  return commonest !== undefined && commonest[1] >= requests * FEW ? commonest[0] : '';
}

/** Of all requests together; undefined without any. */
export function successOf(edges: readonly Pick<GraphEdge, 'requestsPerSec' | 'successShare'>[]): number | undefined {
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  if (requests === 0) return undefined;
  return edges.reduce((sum, edge) => sum + edge.requestsPerSec * (edge.successShare ?? 1), 0) / requests;
}

/** The worst first, then the busiest. */
export function byWorth(a: Counted, b: Counted): number {
  const order: readonly Health[] = ['bad', 'poor', 'good', 'quiet'];
  const rank = (one: Counted) => order.indexOf(healthOf([one]));
  return rank(a) - rank(b) || b.requestsPerSec + b.openedPerSec - a.requestsPerSec - a.openedPerSec;
}
