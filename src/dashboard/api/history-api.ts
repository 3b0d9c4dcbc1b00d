/** `/api/history?workload=NAMESPACE/NAME`: the last hour of a workload's edges. */
import type { EdgePeer } from '../../traffic/edges.ts';
import { isVisible } from '../visible-edges.ts';
import type { ApiHandler, ApiSources } from './api-handler.ts';

export function historyApi({ collector }: ApiSources): ApiHandler {
  return (viewer, query) => {
    const workload = query.get('workload') ?? '';
    const isIt = (peer: EdgePeer) => `${peer.namespace}/${peer.workload}` === workload;
    const found = collector.history.points(
      (edge) => (isIt(edge.source) || isIt(edge.destination)) && isVisible(viewer, edge),
    );
    return { edges: found.map(({ edge, points }) => ({ ...edge, points })) };
  };
}
