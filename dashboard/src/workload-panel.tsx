/** What is known of the chosen workload: its calls now, and the last hour. */
import { useEffect, useState } from 'preact/hooks';
import { identity, milliseconds, percent, perSecond } from './format.ts';
import { Lock } from './lock.tsx';
import { ask, type EdgeHistory, type GraphEdge, type HistoryPoint } from './mesh.ts';

const PERIOD_MS = 15_000;

export function WorkloadPanel({ id, edges }: { readonly id: string; readonly edges: readonly GraphEdge[] }) {
  const [history, setHistory] = useState<readonly EdgeHistory[]>([]);
  useEffect(() => {
    setHistory([]);
    const read = () =>
      ask<{ edges: readonly EdgeHistory[] }>(`/api/history?workload=${encodeURIComponent(id)}`)
        .then((answer) => setHistory(answer.edges))
        .catch(() => undefined);
    void read();
    const timer = setInterval(() => void read(), PERIOD_MS);
    return () => clearInterval(timer);
  }, [id]);
  const [namespace, workload] = id.split('/');
  const inbound = history.filter(
    ({ destination, reporter }) =>
      reporter !== 'destination' && destination.namespace === namespace && destination.workload === workload,
  );
  return (
    <section class="panel" aria-label={`workload ${id}`}>
      <h2>{id}</h2>
      <Calls title="Called by" edges={edges.filter(({ to }) => to === id)} name={({ from }) => from} />
      <Calls title="Calls" edges={edges.filter(({ from }) => from === id)} name={({ to, service }) => service || to} />
      <h3>Requests in, last hour</h3>
      <Sparkline all={inbound} value={(point) => point.requestsPerSec} unit={perSecond} />
      <h3>p99, last hour</h3>
      <Sparkline all={inbound} value={(point) => point.p99Ms ?? 0} unit={milliseconds} />
    </section>
  );
}

interface CallsProps {
  readonly title: string;
  readonly edges: readonly GraphEdge[];
  readonly name: (edge: GraphEdge) => string;
}

function Calls({ title, edges, name }: CallsProps) {
  if (edges.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <table>
        <thead>
          <tr>
            <th>peer</th>
            <th>rate</th>
            <th>success</th>
            <th>p50</th>
            <th>p99</th>
            <th>identity</th>
          </tr>
        </thead>
        <tbody>
          {edges.map((edge) => (
            <tr key={edge.id}>
              <td class="text">
                {name(edge)} <small>{edge.protocol}</small>
              </td>
              <td>
                {edge.protocol === 'tcp' ? `${perSecond(edge.openedPerSec)} conn` : perSecond(edge.requestsPerSec)}
              </td>
              <td>{percent(edge.successShare)}</td>
              <td>{milliseconds(edge.p50Ms)}</td>
              <td>{milliseconds(edge.p99Ms)}</td>
              <td class="text" title={title === 'Calls' ? edge.server : edge.client}>
                <Lock closed={edge.mutualTls} /> {identity(title === 'Calls' ? edge.server : edge.client)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface SparklineProps {
  readonly all: readonly EdgeHistory[];
  readonly value: (point: HistoryPoint) => number;
  readonly unit: (value: number) => string;
}

const WIDTH = 300;
const HEIGHT = 48;

function Sparkline({ all, value, unit }: SparklineProps) {
  const sums = new Map<number, number>();
  for (const { points } of all)
    for (const point of points) sums.set(point.atMs, (sums.get(point.atMs) ?? 0) + value(point));
  const line = [...sums].sort(([a], [b]) => a - b).map(([, sum]) => sum);
  if (line.length < 2) return <p class="hint">comes when two steps of 15 s have passed</p>;
  const top = Math.max(...line, Number.EPSILON);
  const path = line
    .map((y, x) => `${x === 0 ? 'M' : 'L'}${(x / (line.length - 1)) * WIDTH} ${HEIGHT - (y / top) * (HEIGHT - 4)}`)
    .join(' ');
  return (
    <figure>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} class="sparkline" role="img" aria-label={`at most ${unit(top)}`}>
        <path d={path} />
      </svg>
      <figcaption>
        now {unit(line.at(-1) ?? 0)}, at most {unit(top)}
      </figcaption>
    </figure>
  );
}
