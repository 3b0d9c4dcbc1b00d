/** Which traffic is for whose eyes: that of the namespaces that a viewer may read, whichever end it is. */
import type { Edge } from '../traffic/edges.ts';
import type { Viewer } from './viewer.ts';

/** Peers in other namespaces show as names only: an edge tells nothing else about them. */
export function isVisible(viewer: Viewer, { source, destination, service }: Edge): boolean {
  return [source.namespace, destination.namespace, service.namespace].some(
    (namespace) => namespace !== '' && viewer.mayRead(namespace),
  );
}
