/** Where nodes and edges are drawn: along the calls, in frames of their namespaces, and of the waypoints in front of them. */
import { Graph, layout } from '@dagrejs/dagre';
import type { GraphEdge, GraphNode } from './mesh.ts';

export const NODE = { width: 156, height: 46 };
const PADDING = 14;
const TITLE = 18;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode extends GraphNode, Point {}

/** All edges between two nodes. */
export interface PlacedLink {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
}

export interface Frame extends Point {
  readonly id: string;
  readonly kind: 'namespace' | 'waypoint';
  /** Of the namespace, or of the waypoint. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly nodes: readonly PlacedNode[];
  readonly links: readonly PlacedLink[];
  /** Outer ones first. */
  readonly frames: readonly Frame[];
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** `LR`: calls go to the right; `TB`: down, for narrow screens. */
export type Direction = 'LR' | 'TB';

/** Names what the layout depends on: the same shape is not laid out again. */
export function shapeOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction): string {
  const links = new Set(edges.map(({ from, to }) => `${from}>${to}`));
  return [direction, ...nodes.map(({ id, waypoint }) => `${id}@${waypoint}`).sort(), ...[...links].sort()].join(' ');
}

export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction): Layout {
  const graph = new Graph({ compound: true });
  const isWide = direction === 'LR';
  graph.setGraph({
    rankdir: direction,
    nodesep: isWide ? 30 : 24,
    ranksep: isWide ? 104 : 70,
    marginx: 16,
    marginy: 16,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    graph.setNode(node.id, { ...NODE });
    const parent = frameId(node);
    graph.setNode(namespaceId(node), {});
    graph.setNode(parent, {});
    if (parent !== namespaceId(node)) graph.setParent(parent, namespaceId(node));
    graph.setParent(node.id, parent);
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
    return { id, from, to, points };
  });
  const frames = framesOf(placed);
  return { nodes: placed, links, frames, box: boxOf(frames, links) };
}

function namespaceId({ namespace }: GraphNode): string {
  return `namespace:${namespace}`;
}

function frameId(node: GraphNode): string {
  return node.waypoint === '' ? namespaceId(node) : `${namespaceId(node)}:${node.waypoint}`;
}

function framesOf(nodes: readonly PlacedNode[]): Frame[] {
  return [...Map.groupBy(nodes, namespaceId)].flatMap(([id, members]): Frame[] => {
    const behind = [
      ...Map.groupBy(
        members.filter(({ waypoint }) => waypoint !== ''),
        frameId,
      ),
    ];
    const inner = behind.map(([innerId, all]): Frame => {
      const name = all[0]?.waypoint ?? '';
      return { id: innerId, kind: 'waypoint', name, ...around(all.map(boxOfNode)) };
    });
    const alone = members.filter(({ waypoint }) => waypoint === '').map(boxOfNode);
    const name = members[0]?.namespace ?? '';
    return [{ id, kind: 'namespace', name, ...around([...alone, ...inner]) }, ...inner];
  });
}

interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

function boxOfNode({ x, y }: Point): Box {
  return { x: x - NODE.width / 2, y: y - NODE.height / 2, ...NODE };
}

function around(boxes: readonly Box[]): Box {
  const left = Math.min(...boxes.map(({ x }) => x)) - PADDING;
  const top = Math.min(...boxes.map(({ y }) => y)) - PADDING - TITLE;
  const right = Math.max(...boxes.map(({ x, width }) => x + width)) + PADDING;
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height)) + PADDING;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function boxOf(frames: readonly Frame[], links: readonly PlacedLink[]): Box {
  const points = links.flatMap((link) => link.points.map(({ x, y }) => ({ x, y, width: 0, height: 0 })));
  const { x, y, width, height } = around([...frames, ...points]);
  return { x, y: y + TITLE, width, height: height - TITLE };
}
