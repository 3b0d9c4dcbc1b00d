/** Hosts of a VirtualService that it does not reach (facts l7-and-control 1.1). */
import type { VirtualServiceObject } from '../../../model/manifest/virtual-service.ts';
import type { BuildContext } from '../../build-context.ts';
import { meantService } from './meant-service.ts';
import { expandHost } from './route-hosts.ts';

export function hostNotes({ store, mesh }: BuildContext, { meta, spec }: VirtualServiceObject): string[] {
  return (spec.hosts ?? []).flatMap((host) => {
    const meant = meantService(store, mesh, expandHost(mesh, meta.namespace, host));
    return meant === undefined ? [] : [`host ${host} is not completed: write ${meant}`];
  });
}
