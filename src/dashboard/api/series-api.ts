/** `/api/series?kind=workload|service&id=NAMESPACE/NAME&revision=…&minutes=60`: what happened to it over time. */
import { isCallOf, memorySeries, type SeriesSubject } from '../series.ts';
import { isVisible } from '../visible-edges.ts';
import { isHop, waypointNames } from '../waypoint-names.ts';
import { type ApiHandler, type ApiSources, askedFor } from './api-handler.ts';

const MEMORY_MINUTES = 60;
const MAX_MINUTES = 31 * 24 * 60;

export function seriesApi({ clock, collector, longHistory }: ApiSources): ApiHandler {
  return (viewer, query) => {
    const { id, namespace } = askedFor(viewer, query, 'id');
    const kind = query.get('kind') === 'service' ? 'service' : 'workload';
    const name = id.slice(namespace.length + 1);
    const subject: SeriesSubject = { kind, namespace, name, revision: query.get('revision') ?? '' };
    const minutes = Math.min(Number(query.get('minutes')) || MEMORY_MINUTES, MAX_MINUTES);
    if (minutes > MEMORY_MINUTES && longHistory !== undefined) {
      return longHistory.series(subject, minutes * 60_000, clock.nowMs());
    }
    const waypoints = waypointNames(collector.proxies);
    return memorySeries(
      collector.history,
      (edge) =>
        isCallOf(subject, edge) && !(waypoints.has(id) ? false : isHop(edge, waypoints)) && isVisible(viewer, edge),
    );
  };
}
