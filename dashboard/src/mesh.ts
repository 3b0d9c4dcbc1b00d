/** The mesh as the dashboard's server tells it. */
import type { GraphEdge, GraphNode } from '../../src/dashboard/service-graph.ts';
import type { MeshProxy } from '../../src/model/mesh-proxy.ts';

export type { GraphEdge, GraphNode, MeshProxy };

export interface Mesh {
  readonly where: string;
  readonly version: string;
  /** 0 before the first reading. */
  readonly readAtMs: number;
  readonly missing: readonly string[];
  readonly proxies: readonly MeshProxy[];
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface HistoryPoint {
  readonly atMs: number;
  readonly requestsPerSec: number;
  readonly errorsPerSec: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly openedPerSec: number;
  readonly bytesPerSec: number;
}

export interface EdgeHistory {
  readonly source: { readonly namespace: string; readonly workload: string };
  readonly destination: { readonly namespace: string; readonly workload: string };
  readonly protocol: string;
  readonly reporter: string;
  readonly points: readonly HistoryPoint[];
}

/** @throws Error with what the server says */
export async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return (await answer.json()) as T;
}
