/** `/api/mesh`: the graph of now, and the programs. */
import { serviceGraph } from '../service-graph.ts';
import type { Viewer } from '../viewer.ts';
import { isVisible } from '../visible-edges.ts';
import { waypointNames } from '../waypoint-names.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';

export function meshApi({ where, version, collector, longHistory }: ApiSources): ApiHandler {
  return (viewer) => {
    const { proxies, missing, readAtMs, history } = collector;
    const edges = history.now().filter(({ edge }) => isVisible(viewer, edge));
    const missed = missing.filter((reason) => isForViewer(viewer, reason));
    const shown = proxies.filter(({ namespace }) => viewer.mayRead(namespace));
    const graph = serviceGraph(edges, waypointNames(proxies));
    return {
      where,
      viewer: viewer.name,
      version,
      readAtMs,
      missing: missed,
      proxies: shown,
      hasLongHistory: longHistory !== undefined,
      ...graph,
    };
  };
}

/** A reason that begins with the name of a program is for who may know of that program. */
function isForViewer(viewer: Viewer, reason: string): boolean {
  const [, namespace] = /^([-a-z0-9]+)\/[-.a-z0-9]+: /.exec(reason) ?? [];
  return namespace === undefined || viewer.mayRead(namespace);
}
