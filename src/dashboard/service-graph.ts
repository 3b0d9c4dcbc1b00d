/** The graph that the dashboard draws: workloads as nodes, what goes between them as edges. */
import type { EdgeRates, Rates } from '../traffic/edge-rates.ts';
import type { EdgePeer, EdgeService } from '../traffic/edges.ts';
import { mergeReporters } from '../traffic/merge-reporters.ts';

export interface GraphNode {
  /** `namespace/workload`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'workload' | 'waypoint' | 'unknown';
  /** The id of the waypoint that calls to it come through; empty for none. */
  readonly waypoint: string;
}

type ByteRates = 'requestBytesPerSec' | 'responseBytesPerSec' | 'receivedBytesPerSec' | 'sentBytesPerSec';

/** What goes from one node to another for one service. The waypoint that requests go through is not drawn between: it sees them. */
export interface GraphEdge extends Omit<Rates, ByteRates> {
  readonly id: string;
  /** Ids of nodes. */
  readonly from: string;
  readonly to: string;
  /** `name.namespace`; empty where a pod was called by its address. */
  readonly service: string;
  /** `http` and `grpc` where requests are seen, else `tcp`. */
  readonly protocol: string;
  readonly mutualTls: boolean;
  /** Both directions. */
  readonly bytesPerSec: number;
  /** Identities, `spiffe://…`; empty in plaintext. */
  readonly client: string;
  readonly server: string;
}

export interface ServiceGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** @param waypoints workloads that are waypoints, as `namespace/name` */
export function serviceGraph(all: readonly EdgeRates[], waypoints: ReadonlySet<string>): ServiceGraph {
  const nodes = new Map<string, NamedNode>();
  const edges = mergeReporters(all).map((rates): GraphEdge => {
    const from = nodeOf(nodes, rates.edge.source, waypoints, { namespace: '', name: '' });
    const to = nodeOf(nodes, rates.edge.destination, waypoints, rates.edge.service);
    return edgeOf(rates, from, to);
  });
  const through = new Map(edges.filter(({ from }) => waypoints.has(from)).map(({ from, to }) => [to, from]));
  return { nodes: [...nodes.values()].map((node) => ({ ...node, waypoint: through.get(node.id) ?? '' })), edges };
}

type NamedNode = Omit<GraphNode, 'waypoint'>;

function nodeOf(
  nodes: Map<string, NamedNode>,
  { namespace, workload }: EdgePeer,
  waypoints: ReadonlySet<string>,
  service: Pick<EdgeService, 'namespace' | 'name'>,
): string {
  // A request that no endpoint took has only the name of the service that was called.
  const name = workload || service.name || 'unknown';
  const space = workload === '' ? service.namespace || namespace : namespace;
  const id = `${space}/${name}`;
  const kind = waypoints.has(id) ? 'waypoint' : workload === '' ? 'unknown' : 'workload';
  // What endpoints took, too, is a workload, also where it is called as its service.
  if (!nodes.has(id) || nodes.get(id)?.kind === 'unknown') nodes.set(id, { id, namespace: space, name, kind });
  return id;
}

function edgeOf(
  { edge, requestBytesPerSec: _, responseBytesPerSec: __, receivedBytesPerSec, sentBytesPerSec, ...rates }: EdgeRates,
  from: string,
  to: string,
) {
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
