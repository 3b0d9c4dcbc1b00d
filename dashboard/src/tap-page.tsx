/** Requests and connections as they end. */
import { useEffect, useState } from 'preact/hooks';
import { refusalOf } from './ask.ts';
import { type EventBrowser, followEvents } from './follow-events.ts';
import { clockTime, identity } from './format.ts';
import { type Route, setQuery } from './route.ts';

const KEPT = 200;
/** What arrives is shown in batches: a page that changes at each record cannot be read. */
const SHOW_MS = 400;
const FILTERS = ['namespace', 'workload', 'method', 'path', 'status'] as const;

type Fields = Readonly<Record<string, string | number | boolean>>;
interface Tapped {
  readonly key: number;
  readonly fields: Fields;
}

interface Progress {
  readonly listening: number;
  readonly of: number;
  readonly skipped: number;
  readonly missing: readonly string[];
}

const BROWSER: EventBrowser = {
  open: (path) => new EventSource(path),
  refusalOf,
  later: (act, ms) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

const NOTHING: Progress = { listening: 0, of: 0, skipped: 0, missing: [] };

export function TapPage({ route }: { readonly route: Route }) {
  const [records, setRecords] = useState<readonly Tapped[]>([]);
  const [progress, setProgress] = useState(NOTHING);
  const [isPaused, setPaused] = useState(false);
  const [failure, setFailure] = useState('');
  const query = new URLSearchParams(FILTERS.map((name) => [name, route.query.get(name) ?? '']));
  const path = `/api/tap?${query}`;
  useEffect(() => {
    if (isPaused) return;
    let count = 0;
    let fresh: Tapped[] = [];
    setProgress(NOTHING);
    setFailure('');
    const takers = {
      record: (fields: Fields) => {
        fresh.push({ key: Date.now() * 1000 + (count++ % 1000), fields });
      },
      listening: (now: Omit<Progress, 'skipped'>) => setProgress((last) => ({ ...last, ...now })),
      skipped: ({ skipped }: Pick<Progress, 'skipped'>) =>
        setProgress((last) => ({ ...last, skipped: last.skipped + skipped })),
    };
    const leave = followEvents(path, takers, setFailure, BROWSER);
    const timer = setInterval(() => {
      if (fresh.length === 0) return;
      const taken = fresh.reverse();
      fresh = [];
      setRecords((last) => [...taken, ...last].slice(0, KEPT));
    }, SHOW_MS);
    return () => {
      leave();
      clearInterval(timer);
    };
  }, [path, isPaused]);
  const { listening, of, skipped, missing } = progress;
  return (
    <>
      <h1>Live tap</h1>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {FILTERS.map((name) => (
          <label key={name}>
            {name}{' '}
            <input
              type="search"
              size={10}
              data-filter={name === 'namespace'}
              placeholder={name === 'status' ? '5xx' : name === 'path' ? '/begins' : ''}
              value={route.query.get(name) ?? ''}
              onChange={(event) => setQuery(route, name, event.currentTarget.value.trim())}
            />
          </label>
        ))}
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'go on' : 'pause'}
        </button>
        <button type="button" onClick={() => setRecords([])}>
          clear
        </button>
      </form>
      <p class="hint" role="status">
        {isPaused ? 'paused' : `listening at ${listening} of ${of} proxies`}
        {skipped > 0 && ` · ${skipped} more went by: this is a sample`}
        {failure !== '' && ` · ${failure}`}
      </p>
      {missing.map((reason) => (
        <p key={reason} class="problem">
          {reason}
        </p>
      ))}
      <section class="panel scroll" aria-label="records">
        {records.length === 0 && <p class="hint">nothing that matches has ended yet</p>}
        <table class="tap">
          <tbody>
            {records.map((record) => (
              <Row key={record.key} fields={record.fields} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Row({ fields }: { readonly fields: Fields }) {
  const text = (name: string) => String(fields[name] ?? '');
  const isRequest = fields['kind'] === 'request';
  const code = text('response_code');
  const isBad = isRequest ? code.startsWith('5') || code === '0' : fields['error'] !== undefined;
  // Of a connection it comes with its unit.
  const duration = text('duration') === '' ? '' : `${text('duration').replace(/ms$/, '')} ms`;
  const end = (side: 'src' | 'dst') => {
    const name = text(`${side}.workload`) || identity(text(`${side}.identity`)) || text(`${side}.service`);
    const namespace = text(`${side}.namespace`);
    return namespace === '' ? name : `${name}.${namespace}`;
  };
  return (
    <tr class={isBad ? 'bad' : code.startsWith('4') ? 'poor' : ''}>
      <td>{clockTime(Number(fields['timeMs']))}</td>
      <td class="text">{end('src')}</td>
      <td>→</td>
      <td class="text">{end('dst') || text('dst.service')}</td>
      <td>{isRequest ? text('method') : text('direction') || 'connection'}</td>
      <td class="text">{isRequest ? `${text('authority')}${text('path')}` : text('dst.service')}</td>
      <td class="success">
        {isRequest
          ? `${code} ${text('error')}`.trim()
          : text('error') || `${text('bytes_sent')} B ↑ ${text('bytes_recv')} B ↓`}
      </td>
      <td>{duration}</td>
      <td>
        <small>{text('proxy')}</small>
      </td>
    </tr>
  );
}
