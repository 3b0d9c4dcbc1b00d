/** Boxes side by side: those that lines join in the order of the lines, the others in rows. */
import { Graph, layout } from '@dagrejs/dagre';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Join {
  readonly from: string;
  readonly to: string;
}

/** `LR`: lines go to the right; `TB`: down, for narrow screens. */
export type Direction = 'LR' | 'TB';

export interface Placed {
  /** The corners of the boxes, from 0. */
  readonly corners: ReadonlyMap<string, Point>;
  /** Of the lines, by `from>to`; none between boxes in rows. */
  readonly lines: ReadonlyMap<string, readonly Point[]>;
  readonly width: number;
  readonly height: number;
}

export interface Gaps {
  /** Along the lines. */
  readonly along: number;
  readonly across: number;
  /** The layout by lines takes longer than linear, and becomes long: beyond so many boxes all stand in rows. */
  readonly maxLined: number;
}

/** Rows are about as wide as a screen to its height. */
const SCREEN_RATIO = 1.7;

export function placeBoxes(boxes: readonly Box[], joins: readonly Join[], direction: Direction, gaps: Gaps): Placed {
  const joined = new Set(joins.flatMap(({ from, to }) => (from === to ? [] : [from, to])));
  const lined = joined.size > gaps.maxLined ? [] : boxes.filter(({ id }) => joined.has(id));
  const placed = inLines(lined, joins, direction, gaps);
  const others = boxes.filter((box) => !lined.includes(box));
  if (others.length === 0) return placed;
  const top = lined.length === 0 ? 0 : placed.height + gaps.across;
  const rows = inRows(others, direction === 'TB' ? 1 : SCREEN_RATIO, placed.width, gaps.across, top);
  return {
    corners: new Map([...placed.corners, ...rows.corners]),
    lines: placed.lines,
    width: Math.max(placed.width, rows.width),
    height: rows.height,
  };
}

function inLines(boxes: readonly Box[], joins: readonly Join[], direction: Direction, gaps: Gaps): Placed {
  const graph = new Graph();
  graph.setGraph({ rankdir: direction, nodesep: gaps.across, ranksep: gaps.along });
  graph.setDefaultEdgeLabel(() => ({}));
  const sizes = new Map(boxes.map((box) => [box.id, box]));
  for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
  const own = joins.filter(({ from, to }) => from !== to && sizes.has(from) && sizes.has(to));
  for (const { from, to } of own) graph.setEdge(from, to, {});
  if (boxes.length > 0) layout(graph);
  const corners = new Map(
    boxes.map(({ id, width, height }) => {
      const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
      return [id, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
  const lines = new Map(
    own.map(({ from, to }) => {
      const { points = [] } = graph.edge(from, to) as { points?: { x: number; y: number }[] };
      return [`${from}>${to}`, points.map(({ x, y }) => ({ x, y }))];
    }),
  );
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return boxes.length === 0 ? { corners, lines, width: 0, height: 0 } : { corners, lines, width, height };
}

/** Shelf by shelf. @param top where they begin */
function inRows(boxes: readonly Box[], ratio: number, minWidth: number, gap: number, top: number): Placed {
  const area = boxes.reduce((sum, { width, height }) => sum + (width + gap) * (height + gap), 0);
  const widest = Math.max(minWidth, Math.sqrt(area * ratio), ...boxes.map(({ width }) => width));
  const corners = new Map<string, Point>();
  let [x, y, shelf, right] = [0, top, 0, 0];
  for (const { id, width, height } of boxes) {
    if (x > 0 && x + width > widest) [x, y, shelf] = [0, y + shelf + gap, 0];
    corners.set(id, { x, y });
    right = Math.max(right, x + width);
    x += width + gap;
    shelf = Math.max(shelf, height);
  }
  return { corners, lines: new Map(), width: right, height: y + shelf };
}
