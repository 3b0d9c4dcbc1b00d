/** Lines over time. */
import { useState } from 'preact/hooks';
import { momentText } from './format.ts';

export interface ChartLine {
  readonly name: string;
  /** Of the colours of the style sheet. */
  readonly tone: 'first' | 'second' | 'third' | 'bad';
  readonly points: readonly { readonly atMs: number; readonly value: number | undefined }[];
}

interface Props {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  readonly unit: (value: number) => string;
}

const WIDTH = 600;
const HEIGHT = 110;

export function Chart({ title, lines, unit }: Props) {
  const [pointed, setPointed] = useState<number>();
  const times = [...new Set(lines.flatMap(({ points }) => points.map(({ atMs }) => atMs)))].sort((a, b) => a - b);
  const [start = 0] = times;
  const end = times.at(-1) ?? 0;
  if (times.length < 2) {
    return (
      <figure class="chart">
        <figcaption>{title}</figcaption>
        <p class="hint">comes when two steps of 15 s have passed</p>
      </figure>
    );
  }
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value ?? 0));
  const highest = Math.max(0, ...values);
  const top = highest || 1;
  const x = (atMs: number) => ((atMs - start) / (end - start)) * WIDTH;
  const y = (value: number) => HEIGHT - 4 - (value / top) * (HEIGHT - 12);
  const shownAt = pointed ?? end;
  const valueAt = ({ points }: ChartLine) => points.find(({ atMs }) => atMs === shownAt)?.value;
  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const at = start + ((event.clientX - box.left) / box.width) * (end - start);
    setPointed(times.reduce((best, time) => (Math.abs(time - at) < Math.abs(best - at) ? time : best)));
  };
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="legend">
          {lines.map((line) => (
            <span key={line.name} class={`tone ${line.tone}`}>
              {lines.length > 1 && line.name} {unitText(valueAt(line), unit)}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${lines.map((line) => `${line.name} now ${unitText(line.points.at(-1)?.value, unit)}`).join(', ')}; at most ${unit(highest)}`}
        onPointerMove={point}
        onPointerLeave={() => setPointed(undefined)}
      >
        <path class="grid" d={`M0 ${y(top)}H${WIDTH}M0 ${y(top / 2)}H${WIDTH}M0 ${y(0)}H${WIDTH}`} />
        {lines.map((line) => (
          <path key={line.name} class={`line ${line.tone}`} d={pathOf(line, x, y)} />
        ))}
        {pointed !== undefined && <path class="pointer" d={`M${x(pointed)} 0V${HEIGHT}`} />}
      </svg>
      <div class="scale">
        <span>{momentText(start, end - start)}</span>
        <span>
          {pointed === undefined ? '' : `${momentText(pointed, end - start)} · `}at most {unit(highest)}
        </span>
        <span>{momentText(end, end - start)}</span>
      </div>
    </figure>
  );
}

function unitText(value: number | undefined, unit: (value: number) => string): string {
  return value === undefined ? '–' : unit(value);
}

/** A time without a value leaves a gap. */
function pathOf({ points }: ChartLine, x: (atMs: number) => number, y: (value: number) => number): string {
  let isOpen = false;
  let path = '';
  for (const { atMs, value } of points) {
    if (value === undefined) isOpen = false;
    else {
      path += `${isOpen ? 'L' : 'M'}${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`;
      isOpen = true;
    }
  }
  return path;
}
