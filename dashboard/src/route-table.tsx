/** The routes of a service: what is configured, and what the versions behind them really get. */
import { percent } from './format.ts';
import type { RouteView, ServiceView } from './mesh.ts';
import { ShareBar } from './share-bar.tsx';

export function RouteTable({ service }: { readonly service: ServiceView }) {
  const { routes, versions } = service;
  const revisions = versions.map(({ revision }) => revision);
  // A backend of one version has its colour.
  const toneOf = ({ revisions: own }: RouteView['backends'][number], index: number) =>
    own.length === 1 ? Math.max(0, revisions.indexOf(own[0] ?? '')) : index;
  return (
    <section class="panel wide" aria-label="routes">
      <h2>Routes</h2>
      {routes.length === 0 ? (
        <p class="hint">
          {service.waypoint === undefined
            ? 'None: the service has no waypoint, its connections go to any endpoint.'
            : 'None: its waypoint sends every request to any endpoint.'}
        </p>
      ) : (
        routes.map((route, index) => (
          <RouteRow key={`${route.name} ${route.port} ${index}`} route={route} toneOf={toneOf} />
        ))
      )}
      {routes.length > 0 && versions.some(({ share }) => share !== undefined) && (
        <p class="observed">
          <strong>As observed, over all routes</strong>
          <ShareBar
            parts={versions.map(({ revision, share }, tone) => ({ name: revision, share: share ?? 0, tone }))}
            label={`observed: ${versions.map(({ revision, share }) => `${revision} ${percent(share)}`).join(', ')}`}
          />
        </p>
      )}
    </section>
  );
}

interface RouteRowProps {
  readonly route: RouteView;
  readonly toneOf: (backend: RouteView['backends'][number], index: number) => number;
}

function RouteRow({ route: { name, port, match, remarks, backends }, toneOf }: RouteRowProps) {
  return (
    <div class="route">
      <p>
        <strong>{name || 'route'}</strong>
        {port !== '' && <small> port {port}</small>} <span class="hint">{match}</span>
        {remarks.length > 0 && <small> · {remarks.join(' · ')}</small>}
      </p>
      {backends.length > 0 && (
        <ShareBar
          parts={backends.map((backend, index) => ({
            name: `${backend.name} (weight ${backend.weight})`,
            share: backend.share,
            tone: toneOf(backend, index),
          }))}
          label={`configured: ${backends.map((backend) => `${backend.name} ${percent(backend.share)}`).join(', ')}`}
        />
      )}
    </div>
  );
}
