/** Takes the mesh out of a cluster: pods first go back to plain traffic, then everything goes. */

import { OWNED_KINDS } from '../../install/install-kinds.ts';
import { Installer, namespaceExists } from '../../install/installer.ts';
import { waitForPodsGone } from '../../install/rollout.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  NAMESPACES,
  SECRETS,
  VALIDATING_WEBHOOKS,
} from '../../kube/resource-kind.ts';
import { type ClusterFlags, clusterClient } from '../cluster-client.ts';
import { commandClock } from '../command-clock.ts';
import { printLine } from '../print-line.ts';

/** The flags of the command. */
export interface UninstallFlags extends ClusterFlags {
  readonly namespace: string;
  readonly purge: boolean;
  readonly timeout: number;
}

const AGENT = 'ambit-agent';
const ROOT_SECRET = 'istio-ca-secret';

/** @throws AmbitError when something cannot be deleted; running it again goes on where it stopped */
export async function runUninstall(flags: UninstallFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const client = await clusterClient(flags, environment);
  const { namespace } = flags;
  if (!(await namespaceExists(client, namespace)))
    return printLine(`nothing to do: there is no namespace ${namespace}`);
  const installer = new Installer({ client, report: printLine });
  await installer.deleteOwned(VALIDATING_WEBHOOKS);
  // The agents take the redirection out of the pods of their node as they go, and ztunnel serves until then.
  const agent = await client.get(DAEMON_SETS, namespace, AGENT);
  if (agent.ok) {
    await installer.delete(DAEMON_SETS, agent.value);
    printLine('waiting: agents give the pods of their nodes back');
    await waitForPodsGone(namespace, AGENT, flags.timeout, { client, clock: commandClock, report: printLine });
  }
  for (const kind of OWNED_KINDS) await installer.deleteOwned(kind);
  const roots = await installer.deleteRootConfigMaps();
  if (roots > 0) printLine(`root certificates deleted from ${roots} namespaces`);
  if (flags.purge) {
    const secret = await client.get(SECRETS, namespace, ROOT_SECRET);
    if (secret.ok) await installer.delete(SECRETS, secret.value);
    await installer.deleteOwned(CUSTOM_RESOURCE_DEFINITIONS);
    await installer.deleteOwned(NAMESPACES);
  } else {
    printLine(
      `left: CRDs with their objects, the root key in secret/${ROOT_SECRET}, namespace ${namespace} (--purge deletes them)`,
    );
  }
}
