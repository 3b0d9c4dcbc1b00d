/** A workload: health, calls, history, certificates, policies. */
import { useAnswer } from './ask.ts';
import { Calls } from './calls.tsx';
import { identity, until } from './format.ts';
import { History } from './history.tsx';
import { isHop, type Mesh, type WorkloadView } from './mesh.ts';
import { PolicyTable } from './policy-table.tsx';
import { pageOf } from './route.ts';
import { Badge, Waiting } from './states.tsx';

const PERIOD_MS = 5000;

export function WorkloadPage({ id, mesh }: { readonly id: string; readonly mesh: Mesh }) {
  const { value: workload, failure } = useAnswer<WorkloadView>(`/api/workload?id=${encodeURIComponent(id)}`, PERIOD_MS);
  const isWaypoint = mesh.nodes.some((node) => node.id === id && node.kind === 'waypoint');
  const hop = isHop(mesh);
  // Of a waypoint there are hops only.
  const edges = isWaypoint ? mesh.edges : mesh.edges.filter((edge) => !hop(edge));
  return (
    <>
      <h1>
        {id} <small>{isWaypoint ? 'waypoint' : 'workload'}</small>
      </h1>
      <div class="cards">
        {workload === undefined ? <Waiting failure={failure} /> : <Pods workload={workload} />}
        <section class="panel" aria-label="inbound">
          <Calls
            title="Called by"
            edges={edges.filter(({ to }) => to === id)}
            peer="from"
            empty="nobody calls it now"
          />
        </section>
        <section class="panel" aria-label="outbound">
          <Calls title="Calls" edges={edges.filter(({ from }) => from === id)} peer="to" empty="it calls nobody now" />
        </section>
        <History kind="workload" id={id} isLong={mesh.hasLongHistory} />
        {workload !== undefined && <Certificates workload={workload} />}
        {workload !== undefined && <PolicyTable policies={workload.policies} />}
      </div>
    </>
  );
}

function Pods({ workload: { pods, services, waypoints } }: { readonly workload: WorkloadView }) {
  const healthy = pods.filter((pod) => pod.healthy).length;
  return (
    <section class="panel" aria-label="pods">
      <h2>
        Pods{' '}
        <Badge tone={healthy === pods.length ? 'good' : healthy === 0 ? 'bad' : 'poor'}>
          {healthy} of {pods.length} healthy
        </Badge>
      </h2>
      <div class="scroll">
        <table>
          <tbody>
            {pods.map(({ name, node, ip, healthy: isHealthy, inMesh, revision }) => (
              <tr key={name}>
                <td class={isHealthy ? 'good' : 'bad'} title={isHealthy ? 'healthy' : 'not healthy'}>
                  {isHealthy ? '●' : '○'}
                </td>
                <td class="text">{name}</td>
                <td>{revision}</td>
                <td>{ip}</td>
                <td>{node}</td>
                <td>{inMesh ? 'in the mesh' : 'not in the mesh'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p>
        {services.length === 0 ? 'Behind no service.' : 'Behind '}
        {services.map((service, index) => (
          <span key={service}>
            {index > 0 && ', '}
            <a href={pageOf('service', service)}>{service}</a>
          </span>
        ))}
        {waypoints.length > 0 && ', with waypoint '}
        {waypoints.map((waypoint) => (
          <a key={waypoint} href={pageOf('workload', waypoint)}>
            {waypoint}
          </a>
        ))}
      </p>
    </section>
  );
}

function Certificates({ workload: { identities, certificates } }: { readonly workload: WorkloadView }) {
  return (
    <section class="panel" aria-label="certificates">
      <h2>Certificates</h2>
      <p class="text">{identities.join(', ')}</p>
      {certificates.length === 0 ? (
        <p class="hint">No proxy has one for it: it is not in the mesh, or has just come.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>at</th>
                <th>identity</th>
                <th>state</th>
                <th>ends in</th>
              </tr>
            </thead>
            <tbody>
              {certificates.map(({ proxy, identity: owner, state, error, notAfterMs }) => (
                <tr key={`${proxy} ${owner}`}>
                  <td class="text">{proxy}</td>
                  <td>{identity(owner)}</td>
                  <td>
                    <Badge tone={state === 'Available' ? 'good' : state === 'Initializing' ? 'poor' : 'bad'}>
                      {state}
                    </Badge>
                    {error !== '' && <small> {error}</small>}
                  </td>
                  <td title={notAfterMs === 0 ? '' : new Date(notAfterMs).toISOString()}>
                    {notAfterMs === 0 ? '–' : until(notAfterMs, Date.now())}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
