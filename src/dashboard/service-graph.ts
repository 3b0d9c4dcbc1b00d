/** The graph that the dashboard draws: workloads as nodes, what goes between them as edges. */
import type { EdgeRates } from '../traffic/edge-rates.ts';
import type { EdgePeer } from '../traffic/edges.ts';
import { mergeReporters } from '../traffic/merge-reporters.ts';

export interface GraphNode {
  /** `namespace/workload`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'workload' | 'waypoint' | 'unknown';
}

export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly service: string;
  readonly protocol: string;
  readonly mutualTls: boolean;
  /** The waypoint that requests go through is not drawn between them: it sees them. */
  readonly requestsPerSec: number;
  readonly successShare: number | undefined;
  readonly codesPerSec: Readonly<Record<string, number>>;
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly openedPerSec: number;
  readonly failedPerSec: number;
  readonly open: number;
  readonly bytesPerSec: number;
  readonly client: string;
  readonly server: string;
}

export interface ServiceGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** @param waypoints workloads that are waypoints, as `namespace/name` */
export function serviceGraph(all: readonly EdgeRates[], waypoints: ReadonlySet<string>): ServiceGraph {
  const nodes = new Map<string, GraphNode>();
  const edges = mergeReporters(all).map((rates): GraphEdge => {
    const from = nodeOf(nodes, rates.edge.source, waypoints, '');
    const to = nodeOf(nodes, rates.edge.destination, waypoints, rates.edge.service.name);
    return edgeOf(rates, from, to);
  });
  return { nodes: [...nodes.values()], edges };
}

function nodeOf(
  nodes: Map<string, GraphNode>,
  { namespace, workload }: EdgePeer,
  waypoints: ReadonlySet<string>,
  service: string,
): string {
  // A request that no endpoint took has only the name of the service that was called.
  const name = workload || service || 'unknown';
  const id = `${namespace}/${name}`;
  const kind = waypoints.has(id) ? 'waypoint' : workload === '' ? 'unknown' : 'workload';
  if (!nodes.has(id)) nodes.set(id, { id, namespace, name, kind });
  return id;
}

function edgeOf({ edge, receivedBytesPerSec, sentBytesPerSec, ...rates }: EdgeRates, from: string, to: string) {
  const { service, protocol, mutualTls, key: id, source, destination } = edge;
  return {
    id,
    from,
    to,
    service: service.name === '' ? '' : `${service.name}.${service.namespace}`,
    protocol,
    mutualTls,
    bytesPerSec: receivedBytesPerSec + sentBytesPerSec,
    client: source.principal,
    server: destination.principal,
    ...rates,
  };
}
