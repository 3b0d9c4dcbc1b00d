/** The versions of a service next to one another: what they should get, what they get, and how they do. */
import { useAnswer } from './ask.ts';
import { milliseconds, percent, perSecond } from './format.ts';
import { healthOf } from './health.ts';
import { VersionHistory } from './history.tsx';
import type { ServiceView, VersionView } from './mesh.ts';
import { pageOf } from './route.ts';
import { RouteTable } from './route-table.tsx';
import { Waiting } from './states.tsx';

const PERIOD_MS = 2000;

export function CanaryPage({ id }: { readonly id: string }) {
  const { value: service, failure } = useAnswer<ServiceView>(`/api/service?id=${encodeURIComponent(id)}`, PERIOD_MS);
  if (service === undefined) return <Waiting failure={failure} />;
  const { versions } = service;
  return (
    <>
      <h1>
        {id} <small>versions</small>
        <a class="more" href={pageOf('service', id)}>
          the service →
        </a>
      </h1>
      {versions.length < 2 && (
        <p class="hint">Its endpoints are all of one version: {versions[0]?.revision ?? 'there are none'}.</p>
      )}
      <div class="cards">
        <section class="panel wide" aria-label="versions">
          <h2>Versions</h2>
          <div class="scroll">
            <table class="versions">
              <thead>
                <tr>
                  <th>version</th>
                  <th>weight</th>
                  <th>observed</th>
                  <th>rate</th>
                  <th>success</th>
                  <th>errors</th>
                  <th>p50</th>
                  <th>p95</th>
                  <th>p99</th>
                  <th>pods</th>
                </tr>
              </thead>
              <tbody>
                {versions.map((version) => (
                  <VersionRow key={version.revision} version={version} weights={weightsOf(service, version)} />
                ))}
              </tbody>
            </table>
          </div>
        </section>
        <RouteTable service={service} />
        <section class="panel wide" aria-label="history">
          <h2>The last hour</h2>
          <VersionHistory id={id} revisions={versions.map(({ revision }) => revision)} />
        </section>
      </div>
    </>
  );
}

function VersionRow({ version, weights }: { readonly version: VersionView; readonly weights: string }) {
  const { revision, workloads, endpoints, share, rates } = version;
  const errors = rates === undefined ? undefined : rates.requestsPerSec * (1 - (rates.successShare ?? 1));
  return (
    <tr class={rates === undefined ? 'quiet' : healthOf([rates])} data-version={revision}>
      <td class="text">
        <strong>{revision}</strong> <small>{workloads.join(', ')}</small>
      </td>
      <td>{weights}</td>
      <td data-observed>{percent(share)}</td>
      <td>{rates === undefined ? '–' : perSecond(rates.requestsPerSec || rates.openedPerSec)}</td>
      <td class="success">{percent(rates?.successShare)}</td>
      <td>{errors === undefined ? '–' : perSecond(errors)}</td>
      <td>{milliseconds(rates?.p50Ms)}</td>
      <td>{milliseconds(rates?.p95Ms)}</td>
      <td>{milliseconds(rates?.p99Ms)}</td>
      <td>{endpoints}</td>
    </tr>
  );
}

/** Of each route that leads to it, in their order. */
function weightsOf({ routes }: ServiceView, { revision }: VersionView): string {
  const shares = routes.map(({ name, backends }) => {
    const share = backends
      .filter(({ revisions }) => revisions.includes(revision))
      .reduce((sum, one) => sum + one.share, 0);
    return { name, share };
  });
  if (shares.length === 0) return 'none set';
  const one = shares.length === 1;
  return shares
    .map(({ name, share }) => (one || name === '' ? percent(share) : `${name} ${percent(share)}`))
    .join(', ');
}
