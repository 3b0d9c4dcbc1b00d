/**
 * Which objects of a cluster belong to an installation.
 *
 * Invariants:
 * - What carries the namespace of another installation is never taken for an own object.
 * - Of installations made before objects carried a namespace: what is in their own namespace and was applied by the
 *   installer or carries a name that is installed; and cluster-scoped objects of such names that point to no other
 *   namespace.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ResourceKind } from '../kube/resource-kind.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { kindOfObject } from './install-kinds.ts';
import { parseInstallValues } from './install-values.ts';
import { OWNER_LABEL, PART_OF, PART_OF_LABEL } from './objects/common.ts';
import { renderInstall } from './render-install.ts';

/** The manager of the fields that the installer applies. */
export const FIELD_MANAGER = 'ambit-install';

/** An installation, as far as ownership goes. */
export interface Installation {
  readonly namespace: string;
  /** Whether there is another one: then what does not say whose it is stays. */
  readonly isShared: boolean;
}

/** Whether an object belongs to an installation. */
export function isOwnObject(kind: ResourceKind, object: KubeObject, { namespace, isShared }: Installation): boolean {
  const { labels = {}, name } = object.metadata;
  const owner = labels[OWNER_LABEL];
  if (owner !== undefined) return owner === namespace;
  if (labels[PART_OF_LABEL] !== PART_OF) return false;
  const isInstalledName = installedNames().has(`${kind.group}/${kind.kind}/${name}`);
  if (kind.namespaced) return object.metadata.namespace === namespace && (isInstalledName || isApplied(object));
  const targets = targetNamespaces(object);
  return isInstalledName && (targets.length === 0 ? !isShared : isDeepStrictEqual(targets, [namespace]));
}

/** The namespaces that a cluster-scoped object points to: of the accounts of a binding, of the service of a webhook. */
export function targetNamespaces(object: KubeObject): readonly string[] {
  const accounts = listOf(object['subjects']).map((subject) => fieldsOf(subject)['namespace']);
  const services = listOf(object['webhooks']).map((webhook) => {
    const config = fieldsOf(fieldsOf(webhook)['clientConfig']);
    return fieldsOf(config['service'])['namespace'];
  });
  return [...new Set([...accounts, ...services].filter((namespace) => typeof namespace === 'string'))];
}

/** Whether the installer wrote an object. */
export function isApplied(object: KubeObject): boolean {
  return listOf(object.metadata['managedFields']).some((entry) => fieldsOf(entry)['manager'] === FIELD_MANAGER);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function installedNames(): ReadonlySet<string> {
  const objects = renderInstall(parseInstallValues({}), 'any');
  return new Set(
    objects.map((object) => {
      const { group, kind } = kindOfObject(object);
      return `${group}/${kind}/${object.metadata.name}`;
    }),
  );
}
