/** All services and workloads. */
import { useAnswer } from './ask.ts';
import { milliseconds, percent, perSecond } from './format.ts';
import { healthOf } from './health.ts';
import type { Inventory, InventoryRow } from './mesh.ts';
import { pageOf, type Route, setQuery } from './route.ts';
import { Badge, Waiting } from './states.tsx';

const PERIOD_MS = 5000;

export function ServicesPage({ route }: { readonly route: Route }) {
  const { value, failure } = useAnswer<Inventory>('/api/inventory', PERIOD_MS);
  const filter = route.query.get('find') ?? '';
  if (value === undefined) return <Waiting failure={failure} />;
  const rows = value.rows.filter(({ id }) => id.includes(filter));
  const of = (kind: InventoryRow['kind']) => rows.filter((row) => row.kind === kind);
  return (
    <>
      <h1>Services and workloads</h1>
      <label class="find">
        find{' '}
        <input
          type="search"
          value={filter}
          placeholder="namespace/name"
          data-filter
          onInput={(event) => setQuery(route, 'find', event.currentTarget.value)}
        />
      </label>
      <div class="cards">
        <Rows title="Services" rows={of('service')} page="service" />
        <Rows title="Workloads" rows={of('workload')} page="workload" />
        {of('waypoint').length > 0 && <Rows title="Waypoints" rows={of('waypoint')} page="workload" />}
      </div>
    </>
  );
}

interface RowsProps {
  readonly title: string;
  readonly rows: readonly InventoryRow[];
  readonly page: 'service' | 'workload';
}

function Rows({ title, rows, page }: RowsProps) {
  return (
    <section class="panel" aria-label={title}>
      <h2>
        {title} <small>{rows.length}</small>
      </h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>name</th>
              <th>pods</th>
              <th>rate</th>
              <th>success</th>
              <th>p99</th>
              <th>mesh</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Row key={row.id} row={row} page={page} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ row, page }: { readonly row: InventoryRow; readonly page: RowsProps['page'] }) {
  const { id, healthy, pods, inMesh, rates, versions, waypoint } = row;
  const tone = pods === 0 || healthy === 0 ? 'bad' : healthy < pods ? 'poor' : 'good';
  return (
    <tr class={rates === undefined ? 'quiet' : healthOf([rates])}>
      <td class="text">
        <a href={pageOf(page, id)}>{id}</a>{' '}
        {page === 'service' && versions.length > 1 && (
          <a class="more" href={pageOf('canary', id)}>
            {versions.join(' / ')}
          </a>
        )}
      </td>
      <td>
        <Badge tone={tone}>
          {healthy}/{pods}
        </Badge>
      </td>
      <td>
        {rates === undefined
          ? '–'
          : rates.requestsPerSec > 0
            ? perSecond(rates.requestsPerSec)
            : `${perSecond(rates.openedPerSec)} conn`}
      </td>
      <td class="success">{percent(rates?.successShare)}</td>
      <td>{milliseconds(rates?.p99Ms)}</td>
      <td>
        {inMesh === 0 ? 'no' : inMesh < pods ? 'in part' : 'yes'}
        {waypoint !== undefined && <small title={`waypoint ${waypoint}`}> ⬡</small>}
      </td>
    </tr>
  );
}
