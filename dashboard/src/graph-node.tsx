/** A workload in the graph. */
import { percent, perSecond } from './format.ts';
import { healthOf, refusalOf, successOf } from './health.ts';
import { NODE, type PlacedNode } from './lay-out.ts';
import type { GraphEdge } from './mesh.ts';

interface Props {
  readonly node: PlacedNode;
  readonly inbound: readonly GraphEdge[];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

const LONGEST_NAME = 21;

export function GraphNodeShape({ node, inbound, isChosen, onChoose }: Props) {
  const success = successOf(inbound);
  const rate = inbound.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const opened = inbound.reduce((sum, { openedPerSec }) => sum + openedPerSec, 0);
  const refusal = node.kind === 'unknown' ? refusalOf(inbound) : '';
  const text =
    refusal !== ''
      ? `${perSecond(rate)} answered ${refusal}`
      : success !== undefined
        ? `${perSecond(rate)} · ${percent(success)}`
        : opened > 0
          ? `${perSecond(opened)} conn`
          : node.kind === 'unknown'
            ? 'no endpoint took it'
            : node.kind;
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
      <rect width={NODE.width} height={NODE.height} rx={node.kind === 'waypoint' ? NODE.height / 2 : 8} />
      <text x={NODE.width / 2} y="20" class="name">
        {node.name.length > LONGEST_NAME ? `${node.name.slice(0, LONGEST_NAME - 1)}…` : node.name}
      </text>
      <text x={NODE.width / 2} y="36" class="numbers">
        {text}
      </text>
    </g>
  );
}
