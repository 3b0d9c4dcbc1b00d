/** The mesh as the dashboard's server tells it. */
import type { GraphEdge, GraphNode } from '../../src/dashboard/service-graph.ts';
import type { MeshProxy } from '../../src/model/mesh-proxy.ts';

export type { Inventory, InventoryRow } from '../../src/dashboard/api/inventory-api.ts';
export type { PolicyPage } from '../../src/dashboard/api/policies-api.ts';
export type { ServiceView, VersionView } from '../../src/dashboard/api/service-api.ts';
export type { WorkloadView } from '../../src/dashboard/api/workload-api.ts';
export type { ObjectInForce } from '../../src/dashboard/mesh-reader.ts';
export type { Permission } from '../../src/dashboard/permissions.ts';
export type { CountedPolicyInForce } from '../../src/dashboard/policies-of-pods.ts';
export type { RouteView } from '../../src/dashboard/route-view.ts';
export type { Series } from '../../src/dashboard/series.ts';
export type { EdgePoint } from '../../src/traffic/edge-history.ts';
export type { Rates } from '../../src/traffic/edge-rates.ts';
export type { GraphEdge, GraphNode, MeshProxy };

export interface Mesh {
  readonly where: string;
  readonly version: string;
  /** 0 before the first reading. */
  readonly readAtMs: number;
  readonly missing: readonly string[];
  readonly proxies: readonly MeshProxy[];
  /** Whether there are histories of more than an hour. */
  /** Who looks, where people log in. */
  readonly viewer?: string;
  readonly hasLongHistory: boolean;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Of edges that go to or from a waypoint: what goes through one is counted there from end to end, too. */
export function isHop(mesh: Pick<Mesh, 'nodes'>): (edge: GraphEdge) => boolean {
  const waypoints = new Set(mesh.nodes.filter(({ kind }) => kind === 'waypoint').map(({ id }) => id));
  return ({ from, to }) => waypoints.has(from) || waypoints.has(to);
}
