/** Puts the mesh into a cluster, brings it to this version, takes it out. */
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { AmbitError, errorText } from '../../base/errors.ts';
import { installationCrds } from '../../install/crds.ts';
import { notInstalled, requireRoomFor } from '../../install/find-installations.ts';
import { parseInstallValues, setValue } from '../../install/install-values.ts';
import { Installer } from '../../install/installer.ts';
import { type RenderedObject, renderInstall } from '../../install/render-install.ts';
import { waitForRollout } from '../../install/rollout.ts';
import { findStoredValues, storedValuesObject, storedValuesOf } from '../../install/stored-values.ts';
import type { PlainNode } from '../../install/template.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../model/manifest/field-reader.ts';
import { type ClusterFlags, clusterClient } from '../cluster-client.ts';
import { commandClock } from '../command-clock.ts';
import { printLine } from '../print-line.ts';

/** The flags of `install` and `upgrade`. */
export interface InstallFlags extends ClusterFlags {
  readonly namespace: string;
  readonly values?: readonly string[];
  readonly set?: readonly string[];
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly timeout: number;
  readonly crds: boolean;
  /** `upgrade` only. */
  readonly resetValues?: boolean;
}

/** `ambit install`. Running it again brings the cluster to what the flags say. @throws AmbitError */
export async function runInstall(flags: InstallFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const given = givenValues(flags, {});
  const objects = objectsOf(given, flags);
  if (flags.dryRun) return printObjects(objects);
  await applyAll(objects, given, flags, await clusterClient(flags, environment));
}

/** `ambit upgrade`: the values of the installation stay, and flags change single ones. @throws AmbitError */
export async function runUpgrade(flags: InstallFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const client = await clusterClient(flags, environment);
  const stored = await findStoredValues(client, flags.namespace);
  if (stored === undefined) throw await notInstalled(client, flags.namespace);
  const given = givenValues(flags, flags.resetValues === true ? {} : storedValuesOf(stored));
  const objects = objectsOf(given, flags);
  if (flags.dryRun) return printObjects(objects);
  await applyAll(objects, given, flags, client);
}

type Values = { [key: string]: PlainNode };

function objectsOf(given: Values, flags: InstallFlags): readonly RenderedObject[] {
  const objects = renderInstall(parseInstallValues(given), flags.namespace);
  return flags.crds ? [...installationCrds(), ...objects] : objects;
}

async function applyAll(
  objects: readonly RenderedObject[],
  given: Values,
  flags: InstallFlags,
  client: KubeClient,
): Promise<void> {
  const { namespace } = flags;
  await requireRoomFor(client, namespace);
  const installer = new Installer({ namespace, isShared: false }, { client, report: printLine });
  // First of all that is in the namespace: also an installation that breaks off can be uninstalled.
  const home = objects.findIndex(({ kind }) => kind === 'Namespace');
  const all = objects.toSpliced(home + 1, 0, storedValuesObject(namespace, given));
  await installer.apply(all);
  await installer.prune(all);
  if (flags.wait) await waitForRollout(namespace, flags.timeout, { client, clock: commandClock, report: printLine });
  printLine(flags.wait ? 'ambit is ready' : 'ambit is applied; --wait would have waited until it is ready');
}

/** Files in their order, then `--set` in theirs: the last one wins. */
function givenValues(flags: InstallFlags, base: Values): Values {
  const values = structuredClone(base);
  for (const path of flags.values ?? []) mergeInto(values, readValuesFile(path));
  for (const assignment of flags.set ?? []) setValue(values, assignment);
  return values;
}

function readValuesFile(path: string): Values {
  try {
    const content: unknown = parse(readFileSync(path, 'utf8')) ?? {};
    // YAML of values holds plain nodes only; the schema checks them later.
    if (isRecord(content)) return content as Values;
  } catch (cause) {
    throw new AmbitError('INSTALL_VALUES_INVALID', `--values ${path}: ${errorText(cause)}`, { cause });
  }
  throw new AmbitError('INSTALL_VALUES_INVALID', `--values ${path}: it is no map`);
}

function mergeInto(target: Values, source: Values): void {
  for (const [key, value] of Object.entries(source)) {
    const current = target[key];
    if (isRecord(current) && isRecord(value)) mergeInto(current as Values, value as Values);
    else target[key] = value;
  }
}

function printObjects(objects: readonly RenderedObject[]): void {
  for (const object of objects) process.stdout.write(`---\n${stringify(object, { lineWidth: 0 })}`);
}
