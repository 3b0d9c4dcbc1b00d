/** The graph of who calls whom, drawn as SVG, with the traffic running over it. */
import { useMemo, useRef } from 'preact/hooks';
import { GraphLink } from './graph-link.tsx';
import { GraphNodeShape } from './graph-node.tsx';
import { successOf } from './health.ts';
import { type Frame, layOut, shapeOf } from './lay-out.ts';
import type { GraphEdge, GraphNode } from './mesh.ts';
import type { Direction } from './place-boxes.ts';
import { pageOf } from './route.ts';
import { type Stream, TrafficDots } from './traffic-dots.tsx';
import { useView } from './use-view.ts';

interface Props {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly chosen: string | undefined;
  readonly moves: boolean;
  readonly onChoose: (id: string | undefined) => void;
}

/** Below this scale the numbers at calls cannot be read, and are left out. */
const READABLE = 0.55;
const NARROW_PIXELS = 700;

export function ServiceGraph({ nodes, edges, chosen, moves, onChoose }: Props) {
  const direction: Direction = innerWidth < NARROW_PIXELS ? 'TB' : 'LR';
  const shape = shapeOf(nodes, edges, direction);
  // Numbers change all the time, places only with the shape.
  const places = useMemo(() => layOut(nodes, edges, direction), [shape]);
  const frame = useRef<HTMLDivElement>(null);
  const { view, size, zoom, fit, onKey } = useView(frame, places.box, shape);
  const now = Map.groupBy(edges, ({ from, to }) => `${from}>${to}`);
  const inbound = Map.groupBy(edges, ({ to }) => to);
  const touches = (from: string, to: string) => chosen === undefined || from === chosen || to === chosen;
  const streams = places.links
    .filter(({ from, to }) => touches(from, to))
    .map(({ id, points }) => streamOf(points, now.get(id) ?? []));
  const readable = view.scale >= READABLE ? '' : 'far';
  return (
    <div class="graph-frame">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys move the view; what can be chosen has its own */}
      <div class="graph-space" ref={frame} onKeyDown={onKey}>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be drawn in */}
        <svg
          class={`graph ${readable}`}
          role="group"
          aria-label="service graph"
          viewBox={`${view.x} ${view.y} ${Math.max(size.width, 1) / view.scale} ${Math.max(size.height, 1) / view.scale}`}
        >
          <defs>
            <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 8 4 0 8z" />
            </marker>
          </defs>
          {places.frames.map((one) => (
            <FrameShape key={one.id} frame={one} />
          ))}
          {places.links.map((link) => (
            <GraphLink
              key={link.id}
              link={link}
              edges={now.get(link.id) ?? []}
              dim={!touches(link.from, link.to)}
              near={chosen !== undefined && touches(link.from, link.to)}
            />
          ))}
          {places.nodes.map((node) => (
            <GraphNodeShape
              key={node.id}
              node={node}
              inbound={inbound.get(node.id) ?? []}
              isChosen={node.id === chosen}
              onChoose={() => onChoose(node.id === chosen ? undefined : node.id)}
            />
          ))}
        </svg>
        {moves && <TrafficDots streams={streams} view={view} />}
      </div>
      <div class="zoom">
        <button type="button" aria-label="zoom in" onClick={() => zoom(1.25)}>
          +
        </button>
        <button type="button" aria-label="zoom out" onClick={() => zoom(0.8)}>
          −
        </button>
        <button type="button" aria-label="show all" onClick={fit}>
          ⤢
        </button>
      </div>
    </div>
  );
}

function FrameShape({ frame: { id: _id, kind, name, ...box } }: { readonly frame: Frame }) {
  const label = (
    <text x={box.x + 10} y={box.y + 15}>
      {kind === 'waypoint' ? `⬡ ${name.split('/')[1]}` : name || 'outside'}
    </text>
  );
  return (
    <g class={`frame ${kind}`}>
      <rect {...box} rx="9" />
      {kind === 'waypoint' ? (
        <a href={pageOf('workload', name)} aria-label={`waypoint ${name}`}>
          {label}
        </a>
      ) : (
        label
      )}
    </g>
  );
}

function streamOf(points: Stream['points'], edges: readonly GraphEdge[]): Stream {
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const opened = edges.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const failed = edges.reduce((sum, { failedPerSec }) => sum + failedPerSec, 0);
  const perSec = requests + opened + failed;
  const lost = requests * (1 - (successOf(edges) ?? 1)) + failed;
  return { points, perSec, failedShare: perSec === 0 ? 0 : lost / perSec };
}
