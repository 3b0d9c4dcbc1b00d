/** Where a cluster has the mesh already. It takes one: the cluster-scoped objects of two would be the same. */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CLUSTER_ROLE_BINDINGS, CONFIG_MAPS, NAMESPACES, type ResourceKind } from '../kube/resource-kind.ts';
import { apiFailure } from './api-failure.ts';
import { PART_OF, PART_OF_LABEL } from './objects/common.ts';
import { CONTROL_NAME } from './objects/control-objects.ts';
import { targetNamespaces } from './ownership.ts';
import { STORED_VALUES_NAME } from './stored-values.ts';

/** A namespace with an installation. */
export interface FoundInstallation {
  readonly namespace: string;
  /** Whether `ambit install` made it; else Helm, or kubectl. */
  readonly hasValues: boolean;
}

/** All installations, those with stored values first. @throws AmbitError INSTALL_LIST_FAILED */
export async function findInstallations(client: KubeClient): Promise<readonly FoundInstallation[]> {
  const stored = await client.listAll(CONFIG_MAPS, { fieldSelector: `metadata.name=${STORED_VALUES_NAME}` });
  if (!stored.ok) {
    const asked = { verb: 'list', kind: CONFIG_MAPS, namespace: '' } as const;
    throw apiFailure('INSTALL_LIST_FAILED', 'installations cannot be looked for', stored.error, asked);
  }
  const found = stored.value
    .filter(isPartOfMesh)
    .map(({ metadata }) => ({ namespace: metadata.namespace ?? '', hasValues: true }));
  // The account of the control plane is bound cluster-wide however it was installed.
  const binding = await readObject(client, CLUSTER_ROLE_BINDINGS, CONTROL_NAME);
  const bound = binding !== undefined && isPartOfMesh(binding) ? targetNamespaces(binding) : [];
  for (const namespace of bound) {
    if (found.some((one) => one.namespace === namespace)) continue;
    // A binding outlives its namespace when somebody deletes that by hand.
    if ((await readObject(client, NAMESPACES, namespace)) !== undefined) found.push({ namespace, hasValues: false });
  }
  return found;
}

/**
 * Refuses an installation into a namespace that is about to go, and one beside another.
 * @throws AmbitError NAMESPACE_TERMINATING, INSTALLED_ELSEWHERE, INSTALL_LIST_FAILED
 */
export async function requireRoomFor(client: KubeClient, namespace: string): Promise<void> {
  const existing = await readObject(client, NAMESPACES, namespace);
  if (existing !== undefined && isTerminating(existing)) {
    throw new AmbitError(
      'NAMESPACE_TERMINATING',
      `namespace ${namespace} is being deleted: install when it is gone (kubectl wait --for=delete namespace/${namespace})`,
    );
  }
  const other = (await findInstallations(client)).find((found) => found.namespace !== namespace);
  if (other === undefined) return;
  throw new AmbitError('INSTALLED_ELSEWHERE', `${elsewhereText(other)}; a cluster takes one: ${removalHint(other)}`);
}

/** That there is no installation in a namespace, and where there is one. @throws AmbitError INSTALL_LIST_FAILED */
export async function notInstalled(client: KubeClient, namespace: string): Promise<AmbitError> {
  const found = await findInstallations(client);
  const here = found.find((one) => one.namespace === namespace);
  const one = here ?? found[0];
  if (one === undefined) {
    const hint = 'ambit install puts it there';
    return new AmbitError('NOT_INSTALLED', `no ambit in namespace ${namespace}, nor in another one: ${hint}`);
  }
  const what = here === undefined ? `no ambit in namespace ${namespace}: ${elsewhereText(one)}` : elsewhereText(one);
  return new AmbitError('NOT_INSTALLED', `${what}; ${removalHint(one)}`);
}

/** An object without a namespace; undefined when there is none. @throws AmbitError INSTALL_LIST_FAILED */
export async function readObject(
  client: KubeClient,
  kind: ResourceKind,
  name: string,
): Promise<KubeObject | undefined> {
  const answer = await client.get(kind, '', name);
  if (answer.ok) return answer.value;
  if (answer.error.status === 404) return undefined;
  const title = `${kind.kind} ${name}`;
  throw apiFailure('INSTALL_LIST_FAILED', `${title} cannot be read`, answer.error, {
    verb: 'get',
    kind,
    namespace: '',
  });
}

/** Whether an object is on its way out. */
export function isTerminating({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** `ambit is installed in namespace x`. */
export function elsewhereText({ namespace, hasValues }: FoundInstallation): string {
  return `ambit is installed in namespace ${namespace}${hasValues ? '' : ', by Helm or kubectl'}`;
}

/** How an installation is changed or removed. */
export function removalHint({ namespace, hasValues }: FoundInstallation): string {
  if (hasValues) return `ambit upgrade -n ${namespace} changes it, ambit uninstall -n ${namespace} removes it`;
  return 'helm uninstall removes it, or what docs/kubernetes.md says of manifests';
}

function isPartOfMesh({ metadata }: KubeObject): boolean {
  return metadata.labels?.[PART_OF_LABEL] === PART_OF;
}
