/** Parts that several objects share. */
import { INSTALL_NAMESPACE, type TemplateMap, type TemplateNode, text, value, when } from '../template.ts';

/** What everything of the mesh carries, whichever installation it belongs to; anybody may set it on objects of their own. */
export const PART_OF_LABEL = 'app.kubernetes.io/part-of';
export const PART_OF = 'ambit';
/** The same as API servers take it. */
export const PART_OF_SELECTOR = `${PART_OF_LABEL}=${PART_OF}`;
/** The namespace of the installation that an object belongs to: by it an installation knows what is its own. */
export const OWNER_LABEL = 'ambit.io/namespace';
const REVISION_LABEL = 'ambit.io/revision';

/** Labels of the pods of a component. */
export function labelsOf(component: string): TemplateMap {
  return { 'app.kubernetes.io/name': component, [PART_OF_LABEL]: PART_OF };
}

/** Labels of every object of a component. */
export function ownLabelsOf(component: string): TemplateMap {
  return { ...labelsOf(component), [OWNER_LABEL]: text`${INSTALL_NAMESPACE}`, [REVISION_LABEL]: value('revision') };
}

/** `metadata` of a namespaced object of a component. */
export function namespacedMeta(component: string, name: string): TemplateMap {
  return { name, namespace: INSTALL_NAMESPACE, labels: ownLabelsOf(component) };
}

/** `metadata` of a cluster-scoped object of a component. */
export function clusterMeta(component: string, name: string): TemplateMap {
  return { name, labels: ownLabelsOf(component) };
}

/** The image that all roles run, and that its last words are kept, as fields of a container. */
export const CONTAINER_FIELDS: TemplateMap = {
  image: text`${value('image.repository')}:${value('image.tag')}`,
  imagePullPolicy: value('image.pullPolicy'),
  terminationMessagePolicy: 'FallbackToLogsOnError',
};

/** Fields of every pod spec. */
export const POD_FIELDS: TemplateMap = { imagePullSecrets: when('imagePullSecrets', value('imagePullSecrets')) };

/** `securityContext` of a container that needs nothing of its node. */
export const RESTRICTED_CONTAINER: TemplateMap = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** An environment variable with the value of a field of the pod. */
export function fieldVariable(name: string, fieldPath: string): TemplateMap {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

/** One rule of a role. @param resources `pods`, or `pods/status` for a subresource */
export function rule(apiGroup: string, resources: readonly string[], verbs: readonly string[]): TemplateMap {
  return { apiGroups: [apiGroup], resources, verbs };
}

/** The same rule for objects of these names only. */
export function named(restricted: TemplateMap, resourceNames: readonly TemplateNode[]): TemplateMap {
  return { ...restricted, resourceNames };
}

/** A service account with its cluster role and, where given, its role in the namespace of the installation. */
export function accountWithRoles(
  component: string,
  account: string,
  clusterRules: readonly TemplateMap[],
  namespaceRules: readonly TemplateMap[],
): readonly TemplateMap[] {
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: INSTALL_NAMESPACE }];
  const group = 'rbac.authorization.k8s.io';
  const objects: TemplateMap[] = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: namespacedMeta(component, account) },
    { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: clusterMeta(component, account), rules: clusterRules },
    {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: clusterMeta(component, account),
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: account },
      subjects,
    },
  ];
  if (namespaceRules.length === 0) return objects;
  return [
    ...objects,
    { apiVersion: `${group}/v1`, kind: 'Role', metadata: namespacedMeta(component, account), rules: namespaceRules },
    {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: namespacedMeta(component, account),
      roleRef: { apiGroup: group, kind: 'Role', name: account },
      subjects,
    },
  ];
}

/** A folder of the node. */
export function hostVolume(name: string, path: TemplateNode): TemplateMap {
  return { name, hostPath: { path, type: 'DirectoryOrCreate' } };
}

/** An HTTP probe. */
export function httpProbe(path: string, port: number, periodSeconds: number, failureThreshold: number): TemplateMap {
  return { httpGet: { path, port }, periodSeconds, failureThreshold };
}
