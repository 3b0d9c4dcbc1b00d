/** The page: the graph, what is chosen in it, and how the mesh is. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import './style.css';
import { percent, perSecond } from './format.ts';
import { successOf } from './health.ts';
import { ask, type GraphEdge, type Mesh } from './mesh.ts';
import { ProxyList } from './proxy-list.tsx';
import { ServiceGraph } from './service-graph.tsx';
import { WorkloadPanel } from './workload-panel.tsx';

const PERIOD_MS = 2000;

function Dashboard() {
  const [mesh, setMesh] = useState<Mesh>();
  const [failure, setFailure] = useState('');
  const [chosen, setChosen] = useState<string>();
  const [namespace, setNamespace] = useState('');
  const [showsHops, setShowsHops] = useState(false);
  useEffect(() => {
    const read = () =>
      ask<Mesh>('/api/mesh')
        .then((answer) => {
          setMesh(answer);
          setFailure('');
        })
        .catch((error: Error) => setFailure(error.message));
    void read();
    const timer = setInterval(() => void read(), PERIOD_MS);
    return () => clearInterval(timer);
  }, []);
  if (mesh === undefined) return <main class="empty">{failure || 'asking the mesh…'}</main>;
  const isShown = (id: string) => namespace === '' || id.startsWith(`${namespace}/`);
  const waypoints = new Set(mesh.nodes.filter(({ kind }) => kind === 'waypoint').map(({ id }) => id));
  // What goes through a waypoint is counted there from end to end, too.
  const isHop = ({ from, to }: GraphEdge) => waypoints.has(from) || waypoints.has(to);
  const edges = mesh.edges.filter((edge) => (isShown(edge.from) || isShown(edge.to)) && (showsHops || !isHop(edge)));
  const shown = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const nodes = mesh.nodes.filter(({ id }) => shown.has(id));
  const namespaces = [...new Set(mesh.nodes.map((node) => node.namespace))].sort();
  const requests = edges.reduce((sum, edge) => sum + edge.requestsPerSec, 0);
  const problems = [...(failure === '' ? [] : [failure]), ...mesh.missing];
  return (
    <>
      <header>
        <h1>ambit</h1>
        <span class="where">{mesh.where}</span>
        <label>
          namespace{' '}
          <select value={namespace} onChange={(event) => setNamespace(event.currentTarget.value)}>
            <option value="">all</option>
            {namespaces.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          <input type="checkbox" checked={showsHops} onChange={() => setShowsHops(!showsHops)} /> hops of waypoints
        </label>
        <span class="total">
          {perSecond(requests)} requests · {percent(successOf(edges))} good
        </span>
      </header>
      {problems.map((problem) => (
        <p key={problem} class="problem" role="alert">
          {problem}
        </p>
      ))}
      <main>
        <div class="canvas">
          {edges.length === 0 ? (
            <p class="empty">no traffic has been seen yet</p>
          ) : (
            <ServiceGraph nodes={nodes} edges={edges} chosen={chosen} onChoose={setChosen} />
          )}
        </div>
        <aside>
          {chosen === undefined ? (
            <p class="hint">Choose a workload in the graph to see its calls.</p>
          ) : (
            <WorkloadPanel id={chosen} edges={showsHops ? mesh.edges : mesh.edges.filter((edge) => !isHop(edge))} />
          )}
          <ProxyList proxies={mesh.proxies} />
        </aside>
      </main>
    </>
  );
}

const app = document.getElementById('app');
if (app !== null) render(<Dashboard />, app);
