/** All calls from one node to another. */
import { milliseconds, percent, perSecond } from './format.ts';
import { healthOf, refusalOf, successOf } from './health.ts';
import type { PlacedLink } from './lay-out.ts';
import { LockShape } from './lock.tsx';
import type { GraphEdge } from './mesh.ts';
import type { Point } from './place-boxes.ts';

interface Props {
  readonly link: PlacedLink;
  readonly edges: readonly GraphEdge[];
  /** Another node is chosen. */
  readonly dim: boolean;
  /** One of its nodes is chosen. */
  readonly near: boolean;
}

/** In units of the graph. */
const LONG = 320;

export function GraphLink({ link, edges, dim, near }: Props) {
  const requests = edges.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const connections = edges.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const secure = edges.length > 0 && edges.every(({ mutualTls }) => mutualTls);
  const middle = middleOf(link.points);
  const latencies = edges.map(({ p99Ms }) => p99Ms).filter((value) => value !== undefined);
  const rate = requests > 0 ? perSecond(requests) : connections > 0 ? `${perSecond(connections)} conn` : '';
  const slowest = latencies.length === 0 ? '' : milliseconds(Math.max(...latencies));
  const success = successOf(edges);
  const errors = success === undefined || success === 1 ? '' : `${percent(1 - success)} errors`;
  const refusal = refusalOf(edges);
  const lock = secure ? 'mutual TLS' : 'no mutual TLS';
  const title = `${link.from} → ${link.to}: ${[rate || 'quiet', errors, refusal && `answered ${refusal}`, slowest && `p99 ${slowest}`, lock].filter(Boolean).join(', ')}`;
  return (
    <g class={`link ${healthOf(edges)} ${dim ? 'dim' : ''} ${near ? 'near' : ''}`} data-link={link.id}>
      <title>{title}</title>
      <path d={smooth(link.points)} marker-end="url(#tip)" />
      {edges.length > 0 && <LockShape closed={secure} x={middle.x - 4.5} y={middle.y - 5.5} />}
      <text x={middle.x} y={middle.y - 9}>
        {rate}
        {slowest !== '' && ` · ${slowest}`}
        {refusal !== '' && <tspan class="refusal"> · {refusal}</tspan>}
        {errors !== '' && <tspan class="errors"> · {errors}</tspan>}
      </text>
    </g>
  );
}

/** Where the numbers stand. Others cross the middle of a long line. */
function middleOf(points: readonly Point[]): Point {
  const [first, last] = [points[0], points.at(-1)];
  const isLong = first && last && Math.hypot(last.x - first.x, last.y - first.y) > LONG;
  return points[Math.floor(points.length * (isLong ? 0.72 : 0.5))] ?? { x: 0, y: 0 };
}

/** Straight where the traffic runs, with the corners rounded off. */
function smooth(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${first.x} ${first.y}`;
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1];
    if (next === undefined) path += `L${point.x} ${point.y}`;
    else path += `L${mean(points[index], point)}Q${point.x} ${point.y} ${mean(point, next)}`;
  }
  return path;
}

function mean(a: Point | undefined, b: Point): string {
  return a === undefined ? `${b.x} ${b.y}` : `${(a.x + b.x) / 2} ${(a.y + b.y) / 2}`;
}
