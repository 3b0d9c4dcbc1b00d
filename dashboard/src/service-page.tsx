/** A service: how it does, its endpoints, routes as configured and as observed, its callers, policies and history. */
import { useAnswer } from './ask.ts';
import { Calls } from './calls.tsx';
import { History } from './history.tsx';
import { isHop, type Mesh, type ServiceView } from './mesh.ts';
import { PolicyTable } from './policy-table.tsx';
import { RatesLine } from './rates-line.tsx';
import { pageOf } from './route.ts';
import { RouteTable } from './route-table.tsx';
import { Badge, Waiting } from './states.tsx';

const PERIOD_MS = 3000;

export function ServicePage({ id, mesh }: { readonly id: string; readonly mesh: Mesh }) {
  const { value: service, failure } = useAnswer<ServiceView>(`/api/service?id=${encodeURIComponent(id)}`, PERIOD_MS);
  if (service === undefined) return <Waiting failure={failure} />;
  const hop = isHop(mesh);
  const [namespace, name] = id.split('/');
  const edges = mesh.edges.filter((edge) => edge.service === `${name}.${namespace}` && !hop(edge));
  return (
    <>
      <h1>
        {id} <small>service</small>
        {service.versions.length > 1 && (
          <a class="more" href={pageOf('canary', id)}>
            compare its {service.versions.length} versions →
          </a>
        )}
      </h1>
      <p class="hint">
        {service.hostname} · {service.addresses.join(', ') || 'no address of its own'} · ports{' '}
        {service.ports.join(', ')} ·{' '}
        {service.waypoint === undefined ? (
          'no waypoint'
        ) : (
          <a href={pageOf('workload', service.waypoint)}>waypoint {service.waypoint}</a>
        )}
      </p>
      <RatesLine rates={service.rates} />
      <div class="cards">
        <RouteTable service={service} />
        <section class="panel" aria-label="callers">
          <Calls title="Called by" edges={edges} peer="both" empty="nobody calls it now" />
        </section>
        <Endpoints service={service} />
        <History kind="service" id={id} isLong={mesh.hasLongHistory} />
        <PolicyTable policies={service.policies} />
      </div>
    </>
  );
}

function Endpoints({ service: { endpoints } }: { readonly service: ServiceView }) {
  const usable = endpoints.filter(({ healthy, ejected }) => healthy && !ejected).length;
  return (
    <section class="panel" aria-label="endpoints">
      <h2>
        Endpoints{' '}
        <Badge tone={usable === endpoints.length && usable > 0 ? 'good' : usable === 0 ? 'bad' : 'poor'}>
          {usable} of {endpoints.length} usable
        </Badge>
      </h2>
      <div class="scroll">
        <table>
          <tbody>
            {endpoints.map(({ name, workload, revision, ip, node, healthy, ejected }) => (
              <tr key={name}>
                <td class={healthy && !ejected ? 'good' : 'bad'}>{healthy && !ejected ? '●' : '○'}</td>
                <td class="text">
                  <a href={pageOf('workload', workload)}>{name}</a>
                </td>
                <td>{revision}</td>
                <td>{ip}</td>
                <td>{node}</td>
                <td>{ejected ? 'ejected: it failed' : healthy ? '' : 'not healthy'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
