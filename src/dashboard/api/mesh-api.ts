/** `/api/mesh`: the graph of now, and the programs. */
import { serviceGraph } from '../service-graph.ts';
import { isVisible } from '../visible-edges.ts';
import { waypointNames } from '../waypoint-names.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';

export function meshApi({ where, version, collector, longHistory }: ApiSources): ApiHandler {
  return (viewer) => {
    const { proxies, missing, readAtMs, history } = collector;
    const edges = history.now().filter(({ edge }) => isVisible(viewer, edge));
    const shown = proxies.filter(({ namespace }) => viewer.mayRead(namespace));
    const graph = serviceGraph(edges, waypointNames(proxies));
    return { where, version, readAtMs, missing, proxies: shown, hasLongHistory: longHistory !== undefined, ...graph };
  };
}
