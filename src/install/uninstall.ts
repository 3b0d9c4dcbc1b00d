/**
 * Takes the mesh out of a cluster. Everything is idempotent: running it again goes on where it stopped.
 *
 * Invariants:
 * - ztunnel goes only when no pod is redirected any more, or when somebody insists.
 * - The stored values go last: by them an installation is known.
 */
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DAEMON_SETS, NAMESPACES, SECRETS } from '../kube/resource-kind.ts';
import { OWN_ROOT_SECRET } from '../model/installed-names.ts';
import { waitForAgents, waitForPodsReleased } from './captured-pods.ts';
import { installationCrds } from './crds.ts';
import { elsewhereText, findInstallations, isTerminating, notInstalled, readObject } from './find-installations.ts';
import { OWNED_KINDS } from './install-kinds.ts';
import { Installer } from './installer.ts';
import { AGENT_NAME } from './objects/agent-objects.ts';
import { OWNER_LABEL, PART_OF, PART_OF_LABEL } from './objects/common.ts';
import { CONTROL_NAME } from './objects/control-objects.ts';
import { isApplied } from './ownership.ts';
import { waitForNamespaceGone, waitForPodsGone } from './rollout.ts';
import { findStoredValues, STORED_VALUES_NAME } from './stored-values.ts';

export interface UninstallOptions {
  readonly namespace: string;
  /** Whether CRDs, root key and namespace go too. */
  readonly purge: boolean;
  /** Whether pods that stay redirected are no reason to stop. */
  readonly force: boolean;
  /** How long each wait may take. */
  readonly timeoutMs: number;
}

export interface UninstallDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

/**
 * @throws AmbitError NOT_INSTALLED when the installation is not in this namespace; and when something cannot be deleted
 * or pods would be left behind
 */
export async function uninstall(options: UninstallOptions, deps: UninstallDeps): Promise<void> {
  const { namespace, purge } = options;
  const { client, report } = deps;
  const home = await readObject(client, NAMESPACES, namespace);
  const stored = await findStoredValues(client, namespace);
  const others = (await findInstallations(client)).filter((found) => found.namespace !== namespace);
  if (home === undefined && others.length === 0) return report(`nothing to do: there is no namespace ${namespace}`);
  const isLeftover = purge && others.length === 0 && home !== undefined && isOwnNamespace(home);
  if (stored === undefined && !isLeftover) throw await notInstalled(client, namespace);
  const [other] = others;
  const installer = new Installer({ namespace, isShared: other !== undefined }, deps);
  // The agents of another installation take the pods at once: then none is left without one.
  await givePodsBack(installer, { ...options, force: options.force || other !== undefined }, deps);
  for (const kind of OWNED_KINDS) await installer.deleteOwned(kind, [STORED_VALUES_NAME]);
  // A control plane that still runs writes its roots back.
  await waitForEnd(CONTROL_NAME, options, deps);
  if (other === undefined) await deleteShared(installer, options, deps);
  else report(`left: what all namespaces share, as ${elsewhereText(other)}`);
  if (purge) await deleteRootKey(installer, options, deps);
  if (stored !== undefined) await installer.delete(CONFIG_MAPS, stored);
  if (purge) await deleteNamespace(installer, options, deps);
  else
    report(
      `left: CRDs with their objects, the root key in secret/${OWN_ROOT_SECRET}, namespace ${namespace} (--purge deletes them)`,
    );
}

/** The agents take the redirection out of the pods of their node as they go, and ztunnel serves until then. */
async function givePodsBack(installer: Installer, options: UninstallOptions, deps: UninstallDeps): Promise<void> {
  const { namespace, force, timeoutMs } = options;
  const agent = await deps.client.get(DAEMON_SETS, namespace, AGENT_NAME);
  if (agent.ok) {
    if (!force) await waitForAgents(namespace, timeoutMs, deps);
    await installer.delete(DAEMON_SETS, agent.value);
    deps.report('waiting: agents give the pods of their nodes back');
    await waitForEnd(AGENT_NAME, options, deps);
  }
  if (!force) await waitForPodsReleased(namespace, timeoutMs, deps);
}

/** Waits until no pod of a component is left, or for the time that it may take when somebody insists. */
async function waitForEnd(component: string, options: UninstallOptions, deps: UninstallDeps): Promise<void> {
  const { namespace, force, timeoutMs } = options;
  await waitForPodsGone(namespace, component, timeoutMs, deps).catch((error: unknown) => {
    if (!force) throw error;
    deps.report(`going on: ${errorText(error)}`);
  });
}

/** What two installations would share. */
async function deleteShared(installer: Installer, { purge }: UninstallOptions, deps: UninstallDeps): Promise<void> {
  const roots = await installer.deleteRootConfigMaps();
  if (roots > 0) deps.report(`root certificates deleted from ${roots} namespaces`);
  if (!purge) return;
  for (const { metadata } of installationCrds()) {
    const definition = await readObject(deps.client, CUSTOM_RESOURCE_DEFINITIONS, metadata.name);
    const isOurs = definition?.metadata.labels?.[PART_OF_LABEL] === PART_OF;
    if (definition !== undefined && isOurs) await installer.delete(CUSTOM_RESOURCE_DEFINITIONS, definition);
  }
}

async function deleteRootKey(installer: Installer, { namespace }: UninstallOptions, deps: UninstallDeps) {
  const secret = await deps.client.get(SECRETS, namespace, OWN_ROOT_SECRET);
  if (secret.ok) await installer.delete(SECRETS, secret.value);
}

async function deleteNamespace(installer: Installer, options: UninstallOptions, deps: UninstallDeps): Promise<void> {
  const { namespace, timeoutMs } = options;
  const home = await readObject(deps.client, NAMESPACES, namespace);
  if (home === undefined) return;
  if (!isOwnNamespace(home)) return deps.report(`left: namespace ${namespace}, which ambit install did not make`);
  if (!isTerminating(home)) await installer.delete(NAMESPACES, home);
  await waitForNamespaceGone(namespace, timeoutMs, deps);
}

/** Whether an installation made a namespace, or took it. */
function isOwnNamespace(home: KubeObject): boolean {
  const { name, labels = {} } = home.metadata;
  if (labels[OWNER_LABEL] !== undefined) return labels[OWNER_LABEL] === name;
  return labels[PART_OF_LABEL] === PART_OF && isApplied(home);
}
