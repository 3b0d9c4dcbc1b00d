/** `ambit waypoint list` and `status`. */
import { stringify } from 'yaml';
import { AmbitError } from '../../base/errors.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { type ClusterFlags, clusterConnection } from '../cluster-client.ts';
import { commandClock } from '../command-clock.ts';
import { printLine } from '../print-line.ts';
import { textTable } from '../text-table.ts';
import { waitForWaypoints } from '../wait-for-waypoints.ts';
import { listWaypoints, summaryOf, type WaypointErrorCode, type WaypointSummary } from '../waypoint-gateways.ts';

export interface WaypointListFlags extends ClusterFlags {
  readonly namespace?: string;
  readonly allNamespaces: boolean;
  readonly output?: 'json' | 'yaml';
}

export interface WaypointStatusFlags extends WaypointListFlags {
  readonly wait: boolean;
  readonly timeout: number;
}

/** @throws AmbitError */
export async function runWaypointList(flags: WaypointListFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const { client, namespace } = await connectionFor(flags, environment);
  const waypoints = (await listWaypoints(client, namespace)).map(summaryOf);
  if (flags.output !== undefined) return printAs(flags.output, waypoints);
  if (waypoints.length === 0) return printLine('no waypoints found');
  const rows = waypoints.map(({ revision, programmed, ...waypoint }) => ({
    waypoint,
    cells: [revision, programmed],
  }));
  printTable(flags, ['REVISION', 'PROGRAMMED'], rows);
}

/** Sets the exit status to 1 when one is not ready. @throws AmbitError */
export async function runWaypointStatus(
  names: readonly string[],
  flags: WaypointStatusFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const { client, namespace } = await connectionFor(flags, environment);
  const look = () => namedWaypoints(client, namespace, names);
  const deps = { clock: commandClock, report: (line: string) => void process.stderr.write(`${line}\n`) };
  const found = flags.wait ? await waitForWaypoints(look, flags.timeout, deps) : await look();
  const waypoints = found.map(summaryOf);
  if (waypoints.some(({ programmed }) => programmed !== 'True')) process.exitCode = 1;
  if (flags.output !== undefined) return printAs(flags.output, waypoints);
  if (waypoints.length === 0) return printLine('no waypoints found');
  const rows = waypoints.map(({ programmed, reason, message, ...waypoint }) => ({
    waypoint,
    cells: [programmed, 'Programmed', reason, message],
  }));
  printTable(flags, ['STATUS', 'TYPE', 'REASON', 'MESSAGE'], rows);
}

async function connectionFor(
  flags: WaypointListFlags,
  environment: NodeJS.ProcessEnv,
): Promise<{ client: KubeClient; namespace: string | undefined }> {
  const { client, namespace } = await clusterConnection(flags, environment);
  return { client, namespace: flags.allNamespaces ? undefined : (flags.namespace ?? namespace) };
}

async function namedWaypoints(
  client: KubeClient,
  namespace: string | undefined,
  names: readonly string[],
): Promise<readonly KubeObject[]> {
  const all = await listWaypoints(client, namespace);
  if (names.length === 0) return all;
  const missing = names.filter((name) => !all.some(({ metadata }) => metadata.name === name));
  if (missing.length === 0) return all.filter(({ metadata }) => names.includes(metadata.name));
  const where = namespace === undefined ? 'any namespace' : `namespace ${namespace}`;
  throw new AmbitError<WaypointErrorCode>(
    'WAYPOINT_NOT_FOUND',
    `no waypoint in ${where} is called ${missing.join(', ')}`,
  );
}

interface Row {
  readonly waypoint: Pick<WaypointSummary, 'namespace' | 'name'>;
  readonly cells: readonly string[];
}

function printTable({ allNamespaces }: WaypointListFlags, heading: readonly string[], rows: readonly Row[]): void {
  const columns = allNamespaces ? ['NAMESPACE', 'NAME'] : ['NAME'];
  const lines = rows.map(({ waypoint: { namespace, name }, cells }) => [
    ...(allNamespaces ? [namespace, name] : [name]),
    ...cells,
  ]);
  process.stdout.write(textTable([...columns, ...heading], lines));
}

function printAs(format: 'json' | 'yaml', waypoints: readonly WaypointSummary[]): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(waypoints, null, 2)}\n` : stringify(waypoints));
}
