/** `/api/mesh`: the graph of now, and the programs. */
import { serviceGraph } from '../service-graph.ts';
import { isVisible } from '../visible-edges.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';

export function meshApi({ where, version, collector }: ApiSources): ApiHandler {
  return (viewer) => {
    const { proxies, missing, readAtMs, history } = collector;
    const waypoints = new Set(
      proxies
        .filter(({ role }) => role === 'waypoint')
        // The name of its Deployment, which metrics have.
        .map(({ namespace, name }) => `${namespace}/${name.replace(/-[a-z0-9]+-[a-z0-9]{5}$/, '')}`),
    );
    const edges = history.now().filter(({ edge }) => isVisible(viewer, edge));
    const shown = proxies.filter(({ namespace }) => viewer.mayRead(namespace));
    return { where, version, readAtMs, missing, proxies: shown, ...serviceGraph(edges, waypoints) };
  };
}
