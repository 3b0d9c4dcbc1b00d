/** The objects that configure the mesh: which are good, which are not, and why. */
import { useAnswer } from './ask.ts';
import type { ObjectInForce } from './mesh.ts';
import { type Route, setQuery } from './route.ts';
import { Badge, Waiting } from './states.tsx';
import { yamlText } from './yaml-text.ts';

const PERIOD_MS = 5000;

type Mark = 'bad' | 'poor' | 'good';

export function markOf({ state, findings }: ObjectInForce): Mark {
  if (state !== 'in force' || findings.some(({ level }) => level === 'Error')) return 'bad';
  return findings.some(({ level }) => level === 'Warning') ? 'poor' : 'good';
}

const MARKS: Readonly<Record<Mark, { readonly sign: string; readonly text: string }>> = {
  bad: { sign: '✗', text: 'error' },
  poor: { sign: '‼', text: 'warning' },
  good: { sign: '✓', text: 'valid' },
};

export function ConfigPage({ route }: { readonly route: Route }) {
  const { value, failure } = useAnswer<{ readonly objects: readonly ObjectInForce[] }>('/api/config', PERIOD_MS);
  if (value === undefined) return <Waiting failure={failure} />;
  const filter = route.query.get('find') ?? '';
  const only = route.query.get('only') ?? '';
  const open = route.query.get('open') ?? '';
  const shown = value.objects.filter((one) => keyOf(one).toLowerCase().includes(filter.toLowerCase()));
  const count = (mark: Mark) => shown.filter((one) => markOf(one) === mark).length;
  const order: readonly Mark[] = ['bad', 'poor', 'good'];
  const listed = shown
    .filter((one) => only === '' || markOf(one) === only)
    .sort((a, b) => order.indexOf(markOf(a)) - order.indexOf(markOf(b)));
  return (
    <>
      <h1>Configuration</h1>
      <div class="tools">
        <label class="find">
          find{' '}
          <input
            type="search"
            value={filter}
            placeholder="kind, namespace or name"
            data-filter
            onInput={(event) => setQuery(route, 'find', event.currentTarget.value)}
          />
        </label>
        <span class="choices">
          {(Object.keys(MARKS) as Mark[]).map((mark) => (
            <button
              key={mark}
              type="button"
              aria-pressed={only === mark}
              onClick={() => setQuery(route, 'only', only === mark ? '' : mark)}
            >
              <span class={`mark ${mark}`}>{MARKS[mark].sign}</span> {MARKS[mark].text} {count(mark)}
            </button>
          ))}
        </span>
      </div>
      <section class="panel" aria-label="objects">
        {listed.length === 0 && <p class="hint">no object is like that</p>}
        <ul class="objects">
          {listed.map((one) => (
            <ObjectRow
              key={keyOf(one)}
              object={one}
              isOpen={keyOf(one) === open}
              onToggle={() => setQuery(route, 'open', keyOf(one) === open ? '' : keyOf(one))}
            />
          ))}
        </ul>
      </section>
    </>
  );
}

function keyOf({ kind, namespace, name }: ObjectInForce): string {
  return `${kind}/${namespace}/${name}`;
}

interface RowProps {
  readonly object: ObjectInForce;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

function ObjectRow({ object, isOpen, onToggle }: RowProps) {
  const { kind, namespace, name, position, state, findings, spec } = object;
  const mark = markOf(object);
  return (
    <li data-object={keyOf(object)} class={mark}>
      <button type="button" class="row" aria-expanded={isOpen} onClick={onToggle}>
        <span class={`mark ${mark}`} role="img" aria-label={MARKS[mark].text}>
          {MARKS[mark].sign}
        </span>
        <span class="kind">{kind}</span>
        <span class="name">{namespace === '' ? name : `${namespace}/${name}`}</span>
        {state !== 'in force' && (
          <Badge tone="bad">{state === 'stale' ? 'its last good version is in force' : 'refused'}</Badge>
        )}
      </button>
      {findings.map(({ code, name: title, level, message }) => (
        <p key={`${code} ${message}`} class="finding">
          <Badge tone={level === 'Error' ? 'bad' : level === 'Warning' ? 'poor' : 'plain'}>{level}</Badge> {message}{' '}
          <small>
            {code} {title}
          </small>
        </p>
      ))}
      {isOpen && (
        <div class="detail">
          {position !== '' && <p class="hint">{position}</p>}
          {spec === undefined ? <p class="hint">nothing of it is in force</p> : <pre>{yamlText(spec)}</pre>}
        </div>
      )}
    </li>
  );
}
