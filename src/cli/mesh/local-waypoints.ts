/** The waypoints of a mesh of `ambit up`, which has no API server to ask: as Gateways with the status that one would show. */
import { z } from 'zod';
import { AmbitError } from '../../base/errors.ts';
import { waypointNames } from '../../dashboard/waypoint-names.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { WAYPOINT_CLASSES } from '../../model/manifest/gateway.ts';
import { waypointManifest } from '../waypoint-gateways.ts';
import { askJson, type MeshAccess } from './mesh-access.ts';

const objectsSchema = z.array(
  z.object({
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
    spec: z.object({ className: z.string(), waypointFor: z.string().optional() }).optional().catch(undefined),
  }),
);

/** By namespace and name. @param namespace undefined: all @throws AmbitError */
export async function localWaypoints(
  access: MeshAccess,
  namespace: string | undefined,
): Promise<readonly KubeObject[]> {
  const proxies = await access.proxies();
  const control = proxies.find(({ role }) => role === 'control');
  if (control === undefined) throw new AmbitError('CONTROL_UNREACHABLE', `${access.where}: there is no control plane`);
  const objects = objectsSchema.parse(await askJson(access, control, access.controlPort, '/debug/objectsz'));
  const ready = waypointNames(proxies.filter((proxy) => proxy.ready));
  return objects
    .filter(({ kind, spec }) => kind === 'Gateway' && spec !== undefined && WAYPOINT_CLASSES.has(spec.className))
    .filter((object) => namespace === undefined || object.namespace === namespace)
    .map(({ name, namespace: own, spec }) => {
      const request = { name, namespace: own, waypointFor: spec?.waypointFor, revision: undefined };
      const isReady = ready.has(`${own}/${name}`);
      return { ...waypointManifest(request), status: { conditions: [conditionOf(isReady)] } };
    });
}

function conditionOf(isReady: boolean): object {
  return isReady
    ? { type: 'Programmed', status: 'True', reason: 'Programmed', message: 'its pod is ready' }
    : { type: 'Programmed', status: 'False', reason: 'Pending', message: 'its pod is not ready: ambit status' };
}
