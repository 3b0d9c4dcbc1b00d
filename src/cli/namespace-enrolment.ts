/** The label by which all of a namespace uses a waypoint (facts l7-and-control 5.1). */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { NAMESPACES } from '../kube/resource-kind.ts';
import type { WaypointErrorCode } from './waypoint-gateways.ts';

const USE_WAYPOINT = 'istio.io/use-waypoint';
const USE_WAYPOINT_NAMESPACE = 'istio.io/use-waypoint-namespace';
const DATAPLANE_MODE = 'istio.io/dataplane-mode';

/** The waypoint, as `<namespace>/<name>`, that a namespace uses; undefined when none. */
export function usedWaypoint({ metadata }: KubeObject): string | undefined {
  const name = metadata.labels?.[USE_WAYPOINT];
  return name === undefined ? undefined : `${metadata.labels?.[USE_WAYPOINT_NAMESPACE] ?? metadata.name}/${name}`;
}

/** @throws AmbitError when the namespace cannot be read, or uses another waypoint that may not be replaced */
export async function namespaceToEnrol(
  client: KubeClient,
  name: string,
  waypoint: string,
  overwrite: boolean,
): Promise<KubeObject> {
  const found = await client.get(NAMESPACES, '', name);
  if (!found.ok) {
    throw new AmbitError<WaypointErrorCode>(
      'WAYPOINT_API_FAILED',
      `namespace ${name} cannot be read: ${found.error.message}`,
      { cause: found.error },
    );
  }
  const used = usedWaypoint(found.value);
  if (used === undefined || used === `${name}/${waypoint}` || overwrite) return found.value;
  throw new AmbitError<WaypointErrorCode>(
    'WAYPOINT_OTHER_IN_USE',
    `namespace ${name} uses waypoint ${used} already: --overwrite puts this one in its place`,
  );
}

/** Labels the namespace. @throws AmbitError WAYPOINT_API_FAILED */
export async function enrolNamespace(client: KubeClient, name: string, waypoint: string): Promise<void> {
  // Null takes a reference to another namespace away.
  const body = { metadata: { labels: { [USE_WAYPOINT]: waypoint, [USE_WAYPOINT_NAMESPACE]: null } } };
  const labelled = await client.patch(NAMESPACES, '', name, { type: 'merge', body });
  if (labelled.ok) return;
  throw new AmbitError<WaypointErrorCode>(
    'WAYPOINT_API_FAILED',
    `namespace ${name} cannot be labelled: ${labelled.error.message}`,
    { cause: labelled.error },
  );
}

/** What to tell about a namespace whose pods are not in the mesh; undefined when they are. */
export function notAmbientWarning({ metadata }: KubeObject): string | undefined {
  if (metadata.labels?.[DATAPLANE_MODE] === 'ambient') return undefined;
  const { name } = metadata;
  return `namespace ${name} is not in the mesh: kubectl label namespace ${name} ${DATAPLANE_MODE}=ambient`;
}
