/** The charts of a workload, a service, or versions of it. */
import { useState } from 'preact/hooks';
import { useAnswer } from './ask.ts';
import { Chart, type ChartLine } from './chart.tsx';
import { bytesPerSecond, milliseconds, perSecond } from './format.ts';
import type { EdgePoint, Series } from './mesh.ts';

const PERIOD_MS = 10_000;
const RANGES = [
  { minutes: 60, name: '1 h' },
  { minutes: 360, name: '6 h' },
  { minutes: 1440, name: '1 day' },
  { minutes: 10_080, name: '7 days' },
];

interface Subject {
  readonly kind: 'workload' | 'service';
  /** `namespace/name`. */
  readonly id: string;
}

function pathOf({ kind, id }: Subject, minutes: number, revision = ''): string {
  return `/api/series?${new URLSearchParams({ kind, id, revision, minutes: String(minutes) })}`;
}

function lineOf(
  series: Series | undefined,
  name: string,
  tone: ChartLine['tone'],
  of: (point: EdgePoint) => number | undefined,
): ChartLine {
  return { name, tone, points: (series?.points ?? []).map((point) => ({ atMs: point.atMs, value: of(point) })) };
}

/** @param isLong whether there are histories of more than an hour */
export function History({ kind, id, isLong }: Subject & { readonly isLong: boolean }) {
  const [minutes, setMinutes] = useState(60);
  const { value: series, failure } = useAnswer<Series>(pathOf({ kind, id }, minutes), PERIOD_MS);
  const has = (of: (point: EdgePoint) => number) => series?.points.some((point) => of(point) > 0) === true;
  const hasRequests = has(({ requestsPerSec }) => requestsPerSec);
  return (
    <section class="panel wide" aria-label="history">
      <h2>
        Over time
        {isLong && <Ranges minutes={minutes} onChange={setMinutes} />}
      </h2>
      {failure !== '' && <p class="hint">{failure}</p>}
      <div class="charts">
        {hasRequests || !has(({ openedPerSec }) => openedPerSec) ? (
          <>
            <Chart
              title="Requests in"
              unit={perSecond}
              lines={[
                lineOf(series, 'all', 'first', (point) => point.requestsPerSec),
                lineOf(series, 'errors', 'bad', (point) => point.errorsPerSec),
              ]}
            />
            <Chart
              title="Latency"
              unit={milliseconds}
              lines={[
                lineOf(series, 'p50', 'first', (point) => point.p50Ms),
                lineOf(series, 'p99', 'second', (point) => point.p99Ms),
              ]}
            />
          </>
        ) : (
          <>
            <Chart
              title="Connections in"
              unit={perSecond}
              lines={[lineOf(series, 'all', 'first', (point) => point.openedPerSec)]}
            />
            <Chart
              title="Bytes, both ways"
              unit={bytesPerSecond}
              lines={[lineOf(series, 'all', 'first', (point) => point.bytesPerSec)]}
            />
          </>
        )}
      </div>
    </section>
  );
}

function Ranges({ minutes, onChange }: { readonly minutes: number; readonly onChange: (minutes: number) => void }) {
  return (
    <span class="choices">
      {RANGES.map((range) => (
        <button
          key={range.minutes}
          type="button"
          aria-pressed={range.minutes === minutes}
          onClick={() => onChange(range.minutes)}
        >
          {range.name}
        </button>
      ))}
    </span>
  );
}

const TONES: readonly ChartLine['tone'][] = ['first', 'second', 'third', 'bad'];

/** As many as there are tones. */
export function VersionHistory({ id, revisions }: { readonly id: string; readonly revisions: readonly string[] }) {
  const shown = TONES.map((_, index) => revisions[index]);
  // The number of hooks is the same at each render: of a version that is not there nothing is asked.
  const answers = shown.map(
    (revision) =>
      useAnswer<Series>(revision === undefined ? '' : pathOf({ kind: 'service', id }, 60, revision), PERIOD_MS).value,
  );
  const lines = (of: (point: EdgePoint) => number | undefined) =>
    shown.flatMap((revision, index) =>
      revision === undefined ? [] : [lineOf(answers[index], revision, TONES[index] ?? 'bad', of)],
    );
  return (
    <div class="charts">
      <Chart title="Requests" unit={perSecond} lines={lines(({ requestsPerSec }) => requestsPerSec)} />
      <Chart title="Errors" unit={perSecond} lines={lines(({ errorsPerSec }) => errorsPerSec)} />
      <Chart title="p50" unit={milliseconds} lines={lines(({ p50Ms }) => p50Ms)} />
      <Chart title="p99" unit={milliseconds} lines={lines(({ p99Ms }) => p99Ms)} />
    </div>
  );
}
