/** How an edge or a workload does, in three steps. */
import type { GraphEdge } from './mesh.ts';

export type Health = 'good' | 'poor' | 'bad' | 'quiet';

const POOR = 0.99;
const BAD = 0.95;

export function healthOf(edges: readonly GraphEdge[]): Health {
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const connections = edges.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const failed = edges.reduce((sum, { failedPerSec }) => sum + failedPerSec, 0);
  if (requests + connections === 0) return 'quiet';
  const lost = edges.reduce((sum, edge) => sum + edge.requestsPerSec * (1 - (edge.successShare ?? 1)), 0);
  const share = 1 - (lost + failed) / (requests + Math.max(connections, failed));
  return share < BAD ? 'bad' : share < POOR ? 'poor' : 'good';
}

/** Of all requests together; undefined without any. */
export function successOf(edges: readonly GraphEdge[]): number | undefined {
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  if (requests === 0) return undefined;
  return edges.reduce((sum, edge) => sum + edge.requestsPerSec * (edge.successShare ?? 1), 0) / requests;
}
