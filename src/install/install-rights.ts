/** What an account has to be allowed to install, upgrade and uninstall. */
import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  NAMESPACES,
  NODES,
  PODS,
  type ResourceKind,
  ROLES,
  SECRETS,
} from '../kube/resource-kind.ts';
import { OWNED_KINDS } from './install-kinds.ts';
import { parseInstallValues } from './install-values.ts';
import { renderInstall } from './render-install.ts';

/** `resourceAttributes` of a SelfSubjectAccessReview. */
export interface AccessRight {
  readonly verb: string;
  readonly group: string;
  /** `pods`, or `pods/status` for a subresource. */
  readonly resource: string;
  /** Empty: all namespaces, or a cluster-scoped kind. */
  readonly namespace: string;
  /** Empty: whatever the name. */
  readonly name: string;
}

const APPLY = ['get', 'create', 'patch', 'delete'];

/** What install and uninstall do themselves. */
export function installRights(namespace: string): readonly AccessRight[] {
  return [
    ...[NAMESPACES, CUSTOM_RESOURCE_DEFINITIONS].flatMap((kind) => rightsOn(kind, '', APPLY)),
    ...OWNED_KINDS.flatMap((kind) => rightsOn(kind, kind.namespaced ? namespace : '', [...APPLY, 'list'])),
    // Other installations and the roots in all namespaces; pods that are redirected; nodes for the check.
    ...rightsOn(CONFIG_MAPS, '', ['list', 'delete']),
    ...rightsOn(PODS, '', ['list']),
    ...rightsOn(NODES, '', ['list']),
    ...rightsOn(SECRETS, namespace, ['get', 'delete']),
  ];
}

/** To write and bind a role is to hand on its rights: an account has them itself, or may escalate and bind. */
export function escalationRights(namespace: string): readonly AccessRight[] {
  const verbs = ['escalate', 'bind'];
  return [...rightsOn(CLUSTER_ROLES, '', verbs), ...rightsOn(ROLES, namespace, verbs)];
}

/** The rights of the roles that are installed. */
export function grantedRights(namespace: string): readonly AccessRight[] {
  return renderInstall(parseInstallValues({}), namespace).flatMap(({ kind, rules }) => {
    if (kind !== 'ClusterRole' && kind !== 'Role') return [];
    return (rules as readonly RoleRule[]).flatMap((rule) => rightsOfRule(rule, kind === 'Role' ? namespace : ''));
  });
}

/** Rights in few words: `create, patch deployments.apps in istio-system; list pods`. */
export function rightsText(rights: readonly AccessRight[], namespace: string): string {
  const verbs = new Map<string, Set<string>>();
  for (const right of rights) {
    const where = right.namespace === namespace && namespace !== '' ? ` in ${namespace}` : '';
    const what = `${right.resource}${right.group === '' ? '' : `.${right.group}`}${where}`;
    verbs.set(what, (verbs.get(what) ?? new Set()).add(right.verb));
  }
  return [...verbs].map(([what, names]) => `${[...names].join(', ')} ${what}`).join('; ');
}

interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

function rightsOfRule(rule: RoleRule, namespace: string): AccessRight[] {
  const { apiGroups, resources, verbs, resourceNames = [''] } = rule;
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) => resourceNames.map((name) => ({ verb, group, resource, namespace, name }))),
    ),
  );
}

function rightsOn(kind: ResourceKind, namespace: string, verbs: readonly string[]): AccessRight[] {
  return verbs.map((verb) => ({ verb, group: kind.group, resource: kind.plural, namespace, name: '' }));
}
