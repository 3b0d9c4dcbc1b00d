/** The kinds of objects that an installation consists of. */
import { AmbitError } from '../base/errors.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  NAMESPACES,
  POD_DISRUPTION_BUDGETS,
  type ResourceKind,
  ROLE_BINDINGS,
  ROLES,
  SERVICE_ACCOUNTS,
  SERVICES,
  VALIDATING_WEBHOOKS,
} from '../kube/resource-kind.ts';
import type { RenderedObject } from './render-install.ts';

/** In the order in which an uninstallation deletes what belongs to a release, except for namespaces and CRDs. */
export const OWNED_KINDS: readonly ResourceKind[] = [
  VALIDATING_WEBHOOKS,
  DAEMON_SETS,
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  SERVICES,
  CONFIG_MAPS,
  ROLE_BINDINGS,
  ROLES,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  SERVICE_ACCOUNTS,
];

const BY_NAME = new Map(
  [NAMESPACES, CUSTOM_RESOURCE_DEFINITIONS, ...OWNED_KINDS].map((kind) => [`${kind.group}/${kind.kind}`, kind]),
);

/** The kind of a rendered object. @throws AmbitError INSTALL_KIND_UNKNOWN, a mistake of this program */
export function kindOfObject(object: RenderedObject): ResourceKind {
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const kind = BY_NAME.get(`${group}/${object.kind}`);
  if (kind !== undefined) return kind;
  throw new AmbitError('INSTALL_KIND_UNKNOWN', `${object.apiVersion} ${object.kind} is not a kind that is installed`);
}

/** `daemonset.apps/ztunnel`, as kubectl names an object. */
export function kubectlName(kind: ResourceKind, name: string): string {
  return `${kind.kind.toLowerCase()}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
}
