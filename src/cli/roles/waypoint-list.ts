/** `ambit waypoint list` and `status`. */
import { stringify } from 'yaml';
import { AmbitError } from '../../base/errors.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { commandClock } from '../command-clock.ts';
import { findLocalMesh, type MeshFlags, meshConnection } from '../mesh/find-mesh.ts';
import { localWaypoints } from '../mesh/local-waypoints.ts';
import { printLine } from '../print-line.ts';
import { textTable } from '../text-table.ts';
import { waitForWaypoints } from '../wait-for-waypoints.ts';
import { listWaypoints, summaryOf, type WaypointErrorCode, type WaypointSummary } from '../waypoint-gateways.ts';

export interface WaypointListFlags extends MeshFlags {
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
  const { list, namespace, close } = await sourceOf(flags, environment);
  const waypoints = (await list().finally(close)).map(summaryOf);
  if (flags.output !== undefined) return printAs(flags.output, waypoints);
  if (waypoints.length === 0) return printLine('no waypoints found');
  const rows = waypoints.map(({ revision, programmed, ...waypoint }) => ({
    waypoint,
    cells: [revision, programmed],
  }));
  printTable(namespace, ['REVISION', 'PROGRAMMED'], rows);
}

/** Sets the exit status to 1 when one is not ready. @throws AmbitError */
export async function runWaypointStatus(
  names: readonly string[],
  flags: WaypointStatusFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const { list, namespace, close } = await sourceOf(flags, environment);
  const look = async () => namedWaypoints(await list(), namespace, names);
  const deps = { clock: commandClock, report: (line: string) => void process.stderr.write(`${line}\n`) };
  const found = await (flags.wait ? waitForWaypoints(look, flags.timeout, deps) : look()).finally(close);
  const waypoints = found.map(summaryOf);
  if (waypoints.some(({ programmed }) => programmed !== 'True')) process.exitCode = 1;
  if (flags.output !== undefined) return printAs(flags.output, waypoints);
  if (waypoints.length === 0) return printLine('no waypoints found');
  const rows = waypoints.map(({ programmed, reason, message, ...waypoint }) => ({
    waypoint,
    cells: [programmed, 'Programmed', reason, message],
  }));
  printTable(namespace, ['STATUS', 'TYPE', 'REASON', 'MESSAGE'], rows);
}

interface WaypointSource {
  /** @throws AmbitError */
  list(): Promise<readonly KubeObject[]>;
  /** Undefined: all. */
  readonly namespace: string | undefined;
  close(): void;
}

/** The cluster, or the mesh of `ambit up` that is meant. @throws AmbitError */
async function sourceOf(flags: WaypointListFlags, environment: NodeJS.ProcessEnv): Promise<WaypointSource> {
  const access = findLocalMesh(flags, environment);
  if (access !== undefined) {
    const namespace = flags.allNamespaces ? undefined : flags.namespace;
    return { list: () => localWaypoints(access, namespace), namespace, close: () => access.close() };
  }
  const connection = await meshConnection(flags, environment);
  const { client } = connection;
  const namespace = flags.allNamespaces ? undefined : (flags.namespace ?? connection.namespace);
  return { list: () => listWaypoints(client, namespace), namespace, close: () => client.close() };
}

function namedWaypoints(
  all: readonly KubeObject[],
  namespace: string | undefined,
  names: readonly string[],
): readonly KubeObject[] {
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

/** @param asked the one namespace that they are of; undefined: of several */
function printTable(asked: string | undefined, heading: readonly string[], rows: readonly Row[]): void {
  const allNamespaces = asked === undefined;
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
