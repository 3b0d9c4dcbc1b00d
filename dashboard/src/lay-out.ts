/** Where nodes and edges are drawn: left to right along the calls, namespaces as frames. */
import { Graph, layout } from '@dagrejs/dagre';
import type { GraphEdge, GraphNode } from './mesh.ts';

export const NODE = { width: 150, height: 44 };
const PADDING = 18;
const TITLE = 18;

export interface PlacedNode extends GraphNode {
  readonly x: number;
  readonly y: number;
}

/** All edges between two nodes. */
export interface PlacedLink {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly edges: readonly GraphEdge[];
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Frame {
  readonly namespace: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly nodes: readonly PlacedNode[];
  readonly links: readonly PlacedLink[];
  readonly frames: readonly Frame[];
  readonly width: number;
  readonly height: number;
}

/** Names what the layout depends on: the same shape is not laid out again. */
export function shapeOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): string {
  const links = new Set(edges.map(({ from, to }) => `${from}>${to}`));
  return [...nodes.map(({ id }) => id).sort(), ...[...links].sort()].join(' ');
}

export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): Layout {
  const graph = new Graph({ compound: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 26, ranksep: 90, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, namespace } of nodes) {
    graph.setNode(id, { ...NODE });
    graph.setNode(`namespace:${namespace}`, {});
    graph.setParent(id, `namespace:${namespace}`);
  }
  const between = Map.groupBy(edges, ({ from, to }) => `${from}>${to}`);
  for (const [{ from, to }] of between.values() as Iterable<[GraphEdge]>) graph.setEdge(from, to, {});
  layout(graph);
  const placed = nodes.map((node): PlacedNode => {
    const { x = 0, y = 0 } = graph.node(node.id) as { x?: number; y?: number };
    return { ...node, x, y };
  });
  const links = [...between].map(([id, all]): PlacedLink => {
    const [{ from, to }] = all as [GraphEdge];
    const { points = [] } = graph.edge(from, to) as { points?: { x: number; y: number }[] };
    return { id, from, to, edges: all, points };
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { nodes: placed, links, frames: framesOf(placed), width, height: height + TITLE };
}

function framesOf(nodes: readonly PlacedNode[]): Frame[] {
  return [...Map.groupBy(nodes, ({ namespace }) => namespace)].map(([namespace, members]) => {
    const left = Math.min(...members.map(({ x }) => x)) - NODE.width / 2 - PADDING;
    const top = Math.min(...members.map(({ y }) => y)) - NODE.height / 2 - PADDING - TITLE;
    const right = Math.max(...members.map(({ x }) => x)) + NODE.width / 2 + PADDING;
    const bottom = Math.max(...members.map(({ y }) => y)) + NODE.height / 2 + PADDING;
    return { namespace, x: left, y: top, width: right - left, height: bottom - top };
  });
}
