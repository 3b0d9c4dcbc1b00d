/** A mesh of many services as the dashboard's server tells it, with numbers that change at each question. */
import type { GraphEdge, GraphNode } from '../../src/dashboard/service-graph.ts';

const NAMESPACES = 12;
/** Services that each one calls, as in a large shop: a few. */
const CALLS = 2;

export interface SyntheticMesh {
  readonly services: number;
  readonly edges: number;
  answer(): object;
}

/** @param random uniform numbers in [0, 1) */
export function syntheticMesh(services: number, random: () => number): SyntheticMesh {
  const nodes = Array.from({ length: services }, (_, index): GraphNode => {
    const namespace = `team-${index % NAMESPACES}`;
    const name = `service-${index}`;
    // Every other namespace has a waypoint.
    const waypoint = index % NAMESPACES < NAMESPACES / 2 ? `${namespace}/waypoint` : '';
    return { id: `${namespace}/${name}`, namespace, name, kind: 'workload', waypoint };
  });
  // Services call others that come after them, mostly near ones.
  const pairs = nodes.slice(0, -1).flatMap((from, index) =>
    Array.from({ length: CALLS }, () => {
      const reach = Math.min(nodes.length - index - 1, random() < 0.8 ? 24 : nodes.length);
      return { from, to: nodes[index + 1 + Math.floor(random() * reach)] ?? from };
    }),
  );
  const unique = [...new Map(pairs.map((pair) => [`${pair.from.id}>${pair.to.id}`, pair])).values()];
  return {
    services,
    edges: unique.length,
    answer: () => ({
      where: 'a synthetic mesh',
      version: '0',
      readAtMs: Date.now(),
      missing: [],
      proxies: [],
      hasLongHistory: false,
      nodes,
      edges: unique.map(({ from, to }) => edgeOf(from, to, random)),
    }),
  };
}

function edgeOf(from: GraphNode, to: GraphNode, random: () => number): GraphEdge {
  const requestsPerSec = random() * 80;
  const successShare = random() < 0.9 ? 1 : 0.9;
  return {
    id: `${from.id}>${to.id}`,
    from: from.id,
    to: to.id,
    service: `${to.name}.${to.namespace}`,
    protocol: 'http',
    mutualTls: true,
    requestsPerSec,
    successShare,
    codesPerSec: { 200: requestsPerSec * successShare, 503: requestsPerSec * (1 - successShare) },
    p50Ms: 2 + random() * 10,
    p95Ms: 10 + random() * 30,
    p99Ms: 40 + random() * 60,
    openedPerSec: 0,
    failedPerSec: 0,
    deniedPerSec: 0,
    open: 3,
    bytesPerSec: requestsPerSec * 900,
    client: `spiffe://cluster.local/ns/${from.namespace}/sa/${from.name}`,
    server: `spiffe://cluster.local/ns/${to.namespace}/sa/${to.name}`,
  };
}
