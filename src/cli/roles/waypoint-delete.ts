/** `ambit waypoint delete`: takes waypoints away, and says who still asks for them. */
import { AmbitError } from '../../base/errors.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { GATEWAYS, NAMESPACES } from '../../kube/resource-kind.ts';
import { type ClusterFlags, clusterConnection } from '../cluster-client.ts';
import { usedWaypoint } from '../namespace-enrolment.ts';
import { printLine } from '../print-line.ts';
import { gatewayFailure, listWaypoints, type WaypointErrorCode } from '../waypoint-gateways.ts';

export interface WaypointDeleteFlags extends ClusterFlags {
  readonly namespace?: string;
  readonly all: boolean;
}

/** Those that are there are deleted, also when others are not. @throws AmbitError */
export async function runWaypointDelete(
  names: readonly string[],
  flags: WaypointDeleteFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  if (flags.all === names.length > 0) {
    throw new AmbitError<WaypointErrorCode>(
      'WAYPOINT_ARGUMENTS',
      flags.all ? '--all goes without names' : 'name the waypoints, or give --all',
    );
  }
  const { client, namespace: own } = await clusterConnection(flags, environment);
  const { namespace = own } = flags;
  const there = (await listWaypoints(client, namespace)).map(({ metadata }) => metadata.name);
  const wanted = flags.all ? there : names;
  for (const name of wanted) if (there.includes(name)) await deleteWaypoint(client, namespace, name);
  if (wanted.length === 0) printLine(`no waypoints in namespace ${namespace}`);
  await warnOfUse(client, namespace, wanted);
  const missing = wanted.filter((name) => !there.includes(name));
  if (missing.length === 0) return;
  throw new AmbitError<WaypointErrorCode>(
    'WAYPOINT_NOT_FOUND',
    `no waypoint in namespace ${namespace} is called ${missing.join(', ')}; there are: ${there.join(', ') || 'none'}`,
  );
}

async function deleteWaypoint(client: KubeClient, namespace: string, name: string): Promise<void> {
  const deleted = await client.delete(GATEWAYS, namespace, name, { propagationPolicy: 'Background' });
  if (!deleted.ok && !deleted.error.isNotFound) {
    throw gatewayFailure(`waypoint ${namespace}/${name} cannot be deleted`, deleted.error);
  }
  printLine(`waypoint ${namespace}/${name} deleted`);
}

/** Traffic for a waypoint that is gone is refused. */
async function warnOfUse(client: KubeClient, namespace: string, names: readonly string[]): Promise<void> {
  const found = await client.get(NAMESPACES, '', namespace);
  const used = found.ok ? usedWaypoint(found.value) : undefined;
  if (used === undefined || !names.some((name) => used === `${namespace}/${name}`)) return;
  process.stderr.write(
    `warning: namespace ${namespace} still uses waypoint ${used}, and its traffic is refused without it: ` +
      `kubectl label namespace ${namespace} istio.io/use-waypoint-\n`,
  );
}
