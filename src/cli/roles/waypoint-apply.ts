/** `ambit waypoint apply` and `generate`: asks for a waypoint. */
import { stringify } from 'yaml';
import { AmbitError } from '../../base/errors.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { GATEWAYS } from '../../kube/resource-kind.ts';
import { type ClusterFlags, clusterConnection } from '../cluster-client.ts';
import { commandClock } from '../command-clock.ts';
import { enrolNamespace, namespaceToEnrol, notAmbientWarning } from '../namespace-enrolment.ts';
import { printLine } from '../print-line.ts';
import { waitForWaypoints } from '../wait-for-waypoints.ts';
import { gatewayFailure, isWaypointGateway, type WaypointErrorCode, waypointManifest } from '../waypoint-gateways.ts';

export interface WaypointGenerateFlags {
  readonly name: string;
  readonly namespace?: string;
  readonly for?: string;
  readonly revision?: string;
}

export interface WaypointApplyFlags extends WaypointGenerateFlags, ClusterFlags {
  readonly enrollNamespace: boolean;
  readonly overwrite: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

const FIELD_MANAGER = 'ambit';

/** Prints the Gateway. @throws AmbitError WAYPOINT_ARGUMENTS */
export function runWaypointGenerate(flags: WaypointGenerateFlags): void {
  process.stdout.write(stringify(manifestOf(flags, flags.namespace)));
}

/** @throws AmbitError with what keeps the waypoint from being there */
export async function runWaypointApply(flags: WaypointApplyFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const { client, namespace: own } = await clusterConnection(flags, environment);
  const { name, namespace = own, enrollNamespace, overwrite, wait } = flags;
  const manifest = manifestOf(flags, namespace);
  // Before anything is changed.
  const home = enrollNamespace ? await namespaceToEnrol(client, namespace, name, overwrite) : undefined;
  await applyGateway(client, namespace, manifest);
  printLine(`waypoint ${namespace}/${name} applied`);
  // A namespace whose waypoint is not there yet has its traffic refused: whoever waits is spared that.
  if (wait) await waitUntilReady(client, namespace, name, flags.timeout);
  if (home === undefined) return;
  await enrolNamespace(client, namespace, name);
  printLine(`namespace ${namespace} labeled with "istio.io/use-waypoint: ${name}"`);
  const warning = notAmbientWarning(home);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
}

function manifestOf({ name, for: waypointFor, revision }: WaypointGenerateFlags, namespace: string | undefined) {
  if (name === 'none') {
    throw new AmbitError<WaypointErrorCode>(
      'WAYPOINT_ARGUMENTS',
      'no waypoint can be called "none": as a label it means to use none',
    );
  }
  return waypointManifest({ name, namespace, waypointFor, revision });
}

async function applyGateway(client: KubeClient, namespace: string, manifest: KubeObject): Promise<void> {
  const { name } = manifest.metadata;
  const found = await client.get(GATEWAYS, namespace, name);
  if (found.ok && !isWaypointGateway(found.value)) {
    throw new AmbitError<WaypointErrorCode>(
      'WAYPOINT_NAME_TAKEN',
      `Gateway ${namespace}/${name} is there already and is no waypoint: choose another --name`,
    );
  }
  const options = { type: 'apply', fieldManager: FIELD_MANAGER, force: true, body: manifest } as const;
  const applied = await client.patch(GATEWAYS, namespace, name, options);
  if (!applied.ok) throw gatewayFailure(`waypoint ${namespace}/${name} cannot be applied`, applied.error);
}

async function waitUntilReady(client: KubeClient, namespace: string, name: string, timeoutMs: number): Promise<void> {
  const look = async () => {
    const found = await client.get(GATEWAYS, namespace, name);
    if (found.ok) return [found.value];
    throw gatewayFailure(`waypoint ${namespace}/${name} cannot be read`, found.error);
  };
  await waitForWaypoints(look, timeoutMs, { clock: commandClock, report: printLine });
  printLine(`waypoint ${namespace}/${name} is ready`);
}
