/** The graph of who calls whom, drawn as SVG. */
import { useMemo } from 'preact/hooks';
import { milliseconds, percent, perSecond } from './format.ts';
import { healthOf, successOf } from './health.ts';
import { layOut, NODE, type PlacedLink, type PlacedNode, shapeOf } from './lay-out.ts';
import { LockShape } from './lock.tsx';
import type { GraphEdge, GraphNode } from './mesh.ts';

interface Props {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly chosen: string | undefined;
  readonly onChoose: (id: string | undefined) => void;
}

export function ServiceGraph({ nodes, edges, chosen, onChoose }: Props) {
  const shape = shapeOf(nodes, edges);
  // Numbers change all the time, places only with the shape.
  const places = useMemo(() => layOut(nodes, edges), [shape]);
  const now = Map.groupBy(edges, ({ from, to }) => `${from}>${to}`);
  const links = places.links.map((link) => ({ ...link, edges: now.get(link.id) ?? [] }));
  const touches = ({ from, to }: PlacedLink) => chosen === undefined || from === chosen || to === chosen;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be drawn in
    <svg
      class="graph"
      role="group"
      aria-label="service graph"
      viewBox={`0 ${-18} ${Math.max(places.width, 320)} ${Math.max(places.height, 120) + 18}`}
      style={{ maxWidth: `${Math.max(places.width, 320) * 1.3}px` }}
    >
      <defs>
        <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0 8 4 0 8z" />
        </marker>
      </defs>
      {places.frames.map(({ namespace, ...box }) => (
        <g key={namespace} class="frame">
          <rect {...box} rx="10" />
          <text x={box.x + 10} y={box.y + 15}>
            {namespace || 'outside'}
          </text>
        </g>
      ))}
      {links.map((link) => (
        <Link key={link.id} link={link} dim={!touches(link)} />
      ))}
      {places.nodes.map((node) => (
        <Node
          key={node.id}
          node={node}
          inbound={edges.filter(({ to }) => to === node.id)}
          isChosen={node.id === chosen}
          onChoose={() => onChoose(node.id === chosen ? undefined : node.id)}
        />
      ))}
    </svg>
  );
}

function Link({ link, dim }: { link: PlacedLink; dim: boolean }) {
  const { edges, points } = link;
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const connections = edges.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const secure = edges.length > 0 && edges.every(({ mutualTls }) => mutualTls);
  const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join(' ');
  const [latency] = edges.map(({ p99Ms }) => p99Ms).filter((value) => value !== undefined);
  const text = requests > 0 ? perSecond(requests) : connections > 0 ? `${perSecond(connections)} conn` : '';
  const title = `${link.from} → ${link.to}: ${text || 'quiet'}, ${secure ? 'mutual TLS' : 'no mutual TLS'}`;
  return (
    <g class={`link ${healthOf(edges)} ${dim ? 'dim' : ''}`} data-link={link.id}>
      <title>{title}</title>
      <path d={path} marker-end="url(#tip)" class={requests + connections > 0 ? 'flows' : ''} />
      {edges.length > 0 && <LockShape closed={secure} x={middle.x - 4.5} y={middle.y - 5.5} />}
      <text x={middle.x} y={middle.y - 9}>
        {text}
        {latency === undefined ? '' : ` · ${milliseconds(latency)}`}
      </text>
    </g>
  );
}

interface NodeProps {
  readonly node: PlacedNode;
  readonly inbound: readonly GraphEdge[];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Node({ node, inbound, isChosen, onChoose }: NodeProps) {
  const success = successOf(inbound);
  const rate = inbound.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const text = success === undefined ? node.kind : `${perSecond(rate)} · ${percent(success)}`;
  const key = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onChoose();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button
    <g
      class={`node ${node.kind} ${healthOf(inbound)} ${isChosen ? 'chosen' : ''}`}
      transform={`translate(${node.x - NODE.width / 2} ${node.y - NODE.height / 2})`}
      role="button"
      tabindex={0}
      aria-pressed={isChosen}
      aria-label={`${node.name} in ${node.namespace}: ${text}`}
      data-node={node.id}
      onClick={onChoose}
      onKeyDown={key}
    >
      <rect width={NODE.width} height={NODE.height} rx={node.kind === 'waypoint' ? 22 : 7} />
      <text x={NODE.width / 2} y="19" class="name">
        {node.name.length > 20 ? `${node.name.slice(0, 19)}…` : node.name}
      </text>
      <text x={NODE.width / 2} y="35" class="numbers">
        {text}
      </text>
    </g>
  );
}
