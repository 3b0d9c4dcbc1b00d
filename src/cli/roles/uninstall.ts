/** Takes the mesh out of a cluster: pods first go back to plain traffic, then everything goes. */
import { uninstall } from '../../install/uninstall.ts';
import { type ClusterFlags, clusterClient } from '../cluster-client.ts';
import { commandClock } from '../command-clock.ts';
import { printLine } from '../print-line.ts';

/** The flags of the command. */
export interface UninstallFlags extends ClusterFlags {
  readonly namespace: string;
  readonly purge: boolean;
  readonly force: boolean;
  /** In milliseconds. */
  readonly timeout: number;
}

/** @throws AmbitError when something cannot be deleted; running it again goes on where it stopped */
export async function runUninstall(flags: UninstallFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const client = await clusterClient(flags, environment);
  const { namespace, purge, force, timeout: timeoutMs } = flags;
  await uninstall({ namespace, purge, force, timeoutMs }, { client, clock: commandClock, report: printLine });
}
