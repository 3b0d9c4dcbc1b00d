/**
 * Where nodes and edges are drawn: along the calls, in frames of their namespaces, and of the waypoints in front of them.
 *
 * Each frame is laid out by itself, then the frames among one another: so frames never overlap, and hundreds of services
 * take milliseconds.
 */
import type { GraphEdge, GraphNode } from './mesh.ts';
import { type Box, type Direction, type Gaps, type Join, type Placed, type Point, placeBoxes } from './place-boxes.ts';

export const NODE = { width: 156, height: 46 };
const PADDING = 14;
const TITLE = 20;
/** Numbers stand on the lines between nodes. */
const NODE_GAPS: Record<Direction, Gaps> = {
  LR: { along: 144, across: 30, maxLined: 40 },
  TB: { along: 70, across: 24, maxLined: 40 },
};
const FRAME_GAPS: Record<Direction, Gaps> = {
  LR: { along: 84, across: 24, maxLined: 6 },
  TB: { along: 54, across: 20, maxLined: 6 },
};

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
  /** By their middle. */
  readonly nodes: readonly PlacedNode[];
  readonly links: readonly PlacedLink[];
  /** Outer ones first. */
  readonly frames: readonly Frame[];
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** Names what the layout depends on: the same shape is not laid out again. */
export function shapeOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction): string {
  const links = new Set(edges.map(({ from, to }) => `${from}>${to}`));
  return [direction, ...nodes.map(({ id, waypoint }) => `${id}@${waypoint}`).sort(), ...[...links].sort()].join(' ');
}

export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction): Layout {
  return new FrameLayout(nodes, edges, direction).result();
}

/** A frame with what is in it, laid out by itself. */
interface Inside extends Box {
  readonly kind: Frame['kind'];
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly frames: readonly Inside[];
  readonly placed: Placed;
}

class FrameLayout {
  readonly #nodes: readonly GraphNode[];
  readonly #edges: readonly GraphEdge[];
  readonly #direction: Direction;
  readonly #frames: Frame[] = [];
  readonly #middles = new Map<string, Point>();
  readonly #lines = new Map<string, readonly Point[]>();

  constructor(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction) {
    this.#nodes = nodes;
    this.#edges = edges;
    this.#direction = direction;
  }

  result(): Layout {
    const byNamespace = Map.groupBy(this.#nodes, ({ namespace }) => namespace);
    const namespaces = [...byNamespace].map(([name, members]) => this.#namespace(name, members));
    const frameOf = new Map(
      namespaces.flatMap(({ id, name }) => (byNamespace.get(name) ?? []).map((node) => [node.id, id])),
    );
    const placed = placeBoxes(namespaces, this.#joins(frameOf), this.#direction, FRAME_GAPS[this.#direction]);
    for (const frame of namespaces) this.#put(frame, placed.corners.get(frame.id) ?? { x: 0, y: 0 });
    const nodes = this.#nodes.map((node) => ({ ...node, ...(this.#middles.get(node.id) ?? { x: 0, y: 0 }) }));
    const between = new Map(this.#edges.map(({ from, to }) => [`${from}>${to}`, { from, to }]));
    const links = [...between].map(([id, { from, to }]) => ({ id, from, to, points: this.#line(id, from, to) }));
    return { nodes, links, frames: this.#frames, box: boxAround(placed) };
  }

  #namespace(name: string, members: readonly GraphNode[]): Inside {
    const behind = Map.groupBy(members, ({ waypoint }) => waypoint);
    const alone = behind.get('') ?? [];
    behind.delete('');
    const waypoints = [...behind].map(([waypoint, nodes]) =>
      this.#frame(`namespace:${name}:${waypoint}`, 'waypoint', waypoint, nodes, []),
    );
    return this.#frame(`namespace:${name}`, 'namespace', name, alone, waypoints);
  }

  #frame(
    id: string,
    kind: Frame['kind'],
    name: string,
    nodes: readonly GraphNode[],
    frames: readonly Inside[],
  ): Inside {
    const boxOf = new Map<string, string>(nodes.map((node) => [node.id, node.id]));
    for (const frame of frames) for (const node of frame.nodes) boxOf.set(node.id, frame.id);
    const boxes = [...nodes.map((node) => ({ id: node.id, ...NODE })), ...frames];
    const placed = placeBoxes(boxes, this.#joins(boxOf), this.#direction, NODE_GAPS[this.#direction]);
    const width = placed.width + 2 * PADDING;
    return { id, kind, name, nodes, frames, placed, width, height: placed.height + 2 * PADDING + TITLE };
  }

  /** Edges between boxes that hold their ends. */
  #joins(boxOf: ReadonlyMap<string, string>): Join[] {
    return this.#edges.flatMap((edge) => {
      const [from, to] = [boxOf.get(edge.from), boxOf.get(edge.to)];
      return from === undefined || to === undefined || from === to ? [] : [{ from, to }];
    });
  }

  #put({ id, kind, name, width, height, nodes, frames, placed }: Inside, corner: Point): void {
    this.#frames.push({ id, kind, name, ...corner, width, height });
    const inner = { x: corner.x + PADDING, y: corner.y + PADDING + TITLE };
    const at = (point: Point | undefined) => ({ x: inner.x + (point?.x ?? 0), y: inner.y + (point?.y ?? 0) });
    for (const node of nodes) {
      const { x, y } = at(placed.corners.get(node.id));
      this.#middles.set(node.id, { x: x + NODE.width / 2, y: y + NODE.height / 2 });
    }
    for (const [line, points] of placed.lines) this.#lines.set(line, points.map(at));
    for (const frame of frames) this.#put(frame, at(placed.corners.get(frame.id)));
  }

  #line(id: string, from: string, to: string): readonly Point[] {
    const known = this.#lines.get(id);
    const [start, end] = [this.#middles.get(from), this.#middles.get(to)];
    if (known !== undefined) return known;
    if (start === undefined || end === undefined) return [];
    return from === to ? [] : curve(start, end, this.#direction);
  }
}

function boxAround({ width, height }: Placed): Layout['box'] {
  return { x: -PADDING, y: -PADDING, width: width + 2 * PADDING, height: height + 2 * PADDING };
}

const CURVE_STEPS = 12;

/** From one side of a node to a side of another, out and in at a right angle. */
function curve(from: Point, to: Point, direction: Direction): Point[] {
  const isAcross = direction === 'LR';
  const forward = isAcross ? to.x >= from.x : to.y >= from.y;
  const [sx, sy] = isAcross
    ? [forward ? NODE.width / 2 : -NODE.width / 2, 0]
    : [0, forward ? NODE.height / 2 : -NODE.height / 2];
  const start = { x: from.x + sx, y: from.y + sy };
  const end = { x: to.x - sx, y: to.y - sy };
  const bend =
    Math.max(40, (isAcross ? Math.abs(end.x - start.x) : Math.abs(end.y - start.y)) / 2) * (forward ? 1 : -1);
  const [bx, by] = isAcross ? [bend, 0] : [0, bend];
  const controls = [start, { x: start.x + bx, y: start.y + by }, { x: end.x - bx, y: end.y - by }, end] as const;
  return Array.from({ length: CURVE_STEPS + 1 }, (_, step) => bezier(controls, step / CURVE_STEPS));
}

function bezier([a, b, c, d]: readonly [Point, Point, Point, Point], t: number): Point {
  const u = 1 - t;
  const mix = (p: number, q: number, r: number, s: number) =>
    u ** 3 * p + 3 * u * u * t * q + 3 * u * t * t * r + t ** 3 * s;
  return { x: mix(a.x, b.x, c.x, d.x), y: mix(a.y, b.y, c.y, d.y) };
}
