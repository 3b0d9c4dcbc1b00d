/** The live graph, and what is chosen in it. */
import { useState } from 'preact/hooks';
import { Calls } from './calls.tsx';
import { percent, perSecond } from './format.ts';
import { byWorth, successOf } from './health.ts';
import { isHop, type Mesh } from './mesh.ts';
import { ProxyList } from './proxy-list.tsx';
import { pageOf, type Route, setQuery } from './route.ts';
import { ServiceGraph } from './service-graph.tsx';

const BUSIEST = 12;

export function GraphPage({ mesh, route }: { readonly mesh: Mesh; readonly route: Route }) {
  const [moves, setMoves] = useState(true);
  const namespace = route.query.get('namespace') ?? '';
  const chosen = route.query.get('chosen') || undefined;
  const showsHops = route.query.has('hops') && route.query.get('hops') !== '';
  const isShown = (id: string) => namespace === '' || id.startsWith(`${namespace}/`);
  const hop = isHop(mesh);
  const edges = mesh.edges.filter((edge) => (isShown(edge.from) || isShown(edge.to)) && (showsHops || !hop(edge)));
  const shown = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const nodes = mesh.nodes.filter(({ id }) => shown.has(id));
  const namespaces = [...new Set(mesh.nodes.map((node) => node.namespace))].filter((name) => name !== '').sort();
  const requests = edges.reduce((sum, edge) => sum + edge.requestsPerSec, 0);
  const choose = (id: string | undefined) => setQuery(route, 'chosen', id ?? '');
  return (
    <div class="split">
      <section class="canvas" aria-label="graph">
        <div class="tools">
          <label>
            namespace{' '}
            <select
              value={namespace}
              onChange={(event) => setQuery(route, 'namespace', event.currentTarget.value)}
              data-filter
            >
              <option value="">all</option>
              {namespaces.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            <input
              type="checkbox"
              checked={showsHops}
              onChange={() => setQuery(route, 'hops', showsHops ? '' : 'yes')}
            />{' '}
            hops of waypoints
          </label>
          <label>
            <input type="checkbox" checked={moves} onChange={() => setMoves(!moves)} /> traffic
          </label>
          <span class="total">
            {perSecond(requests)} requests · {percent(successOf(edges))} good
          </span>
        </div>
        {edges.length === 0 ? (
          <p class="empty">{mesh.readAtMs === 0 ? 'reading the proxies…' : 'no traffic has been seen yet'}</p>
        ) : (
          <ServiceGraph nodes={nodes} edges={edges} chosen={chosen} moves={moves} onChoose={choose} />
        )}
      </section>
      <aside>
        {chosen === undefined ? (
          <section class="panel" aria-label="calls">
            <Calls
              title={edges.length > BUSIEST ? `The worst and the busiest ${BUSIEST} of ${edges.length} calls` : 'Calls'}
              edges={[...edges].sort(byWorth).slice(0, BUSIEST)}
              peer="both"
              empty="nobody calls anybody"
            />
            <p class="hint">Choose a workload in the graph to see its calls.</p>
          </section>
        ) : (
          <Chosen id={chosen} mesh={mesh} showsHops={showsHops} onClose={() => choose(undefined)} />
        )}
        <ProxyList proxies={mesh.proxies} />
      </aside>
    </div>
  );
}

interface ChosenProps {
  readonly id: string;
  readonly mesh: Mesh;
  readonly showsHops: boolean;
  readonly onClose: () => void;
}

function Chosen({ id, mesh, showsHops, onClose }: ChosenProps) {
  const hop = isHop(mesh);
  const edges = showsHops ? mesh.edges : mesh.edges.filter((edge) => !hop(edge));
  return (
    <section class="panel" aria-label={`workload ${id}`}>
      <h2>
        <a href={pageOf('workload', id)}>{id}</a>
        <button type="button" class="close" aria-label="close" onClick={onClose}>
          ×
        </button>
      </h2>
      <Calls title="Called by" edges={edges.filter(({ to }) => to === id)} peer="from" empty="nobody calls it now" />
      <Calls title="Calls" edges={edges.filter(({ from }) => from === id)} peer="to" empty="it calls nobody now" />
      <p>
        <a class="more" href={pageOf('workload', id)}>
          history, certificates and policies →
        </a>
      </p>
    </section>
  );
}
