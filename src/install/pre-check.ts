/** What a cluster lacks before an installation: every finding with what to do about it. Nothing is changed. */
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  NAMESPACES,
  NODES,
  type ResourceKind,
} from '../kube/resource-kind.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import { missingRights } from './check-rights.ts';
import { elsewhereText, findInstallations, isTerminating, removalHint } from './find-installations.ts';
import { rightsText } from './install-rights.ts';
import { PART_OF, PART_OF_LABEL } from './objects/common.ts';

export type CheckLevel = 'ok' | 'warning' | 'error';

export interface CheckFinding {
  readonly group: string;
  readonly level: CheckLevel;
  readonly text: string;
  /** What to do; empty when there is nothing to do. */
  readonly hint: string;
}

const API_GROUP = 'Kubernetes API';
const MIN_MINOR = 29;
const ARCHITECTURES: ReadonlySet<unknown> = new Set(['amd64', 'arm64']);

/** What other meshes run, by the names of Istio. */
const FOREIGN_MESHES: readonly (readonly [ResourceKind, readonly string[]])[] = [
  [DEPLOYMENTS, ['istiod']],
  [DAEMON_SETS, ['ztunnel', 'istio-cni-node']],
];

/** Looks at everything that an installation into the namespace depends on. Resolves always. */
export async function preCheck(client: KubeClient, namespace: string): Promise<readonly CheckFinding[]> {
  const answer = await client.raw('/version');
  if (!answer.ok) {
    const hint = 'is the kubeconfig the right one?';
    return [{ group: API_GROUP, level: 'error', text: answer.error.message, hint }];
  }
  const groups = await Promise.all([
    checkRights(client, namespace),
    checkNodes(client),
    checkNamespace(client, namespace),
    checkOtherMeshes(client, namespace),
    checkGatewayApi(client),
  ]);
  return [checkVersion(answer.value), ...groups.flat()];
}

function checkVersion(version: unknown): CheckFinding {
  const { minor, gitVersion } = fieldsOf(version);
  const text = `Kubernetes ${String(gitVersion)}`;
  if (Number.parseInt(String(minor), 10) >= MIN_MINOR) return { group: API_GROUP, level: 'ok', text, hint: '' };
  return { group: API_GROUP, level: 'error', text, hint: `upgrade the cluster to 1.${MIN_MINOR} or later` };
}

async function checkRights(client: KubeClient, namespace: string): Promise<readonly CheckFinding[]> {
  const group = 'Rights';
  const missing = await missingRights(client, namespace);
  if (!missing.ok) return [unknown(group, missing.error)];
  const text = 'this account may install and uninstall';
  if (missing.value.length === 0) return [{ group, level: 'ok', text, hint: '' }];
  const hint = 'use an account that is bound to cluster-admin, or ask for these rights';
  return [{ group, level: 'error', text: `this account may not ${rightsText(missing.value, namespace)}`, hint }];
}

async function checkNodes(client: KubeClient): Promise<readonly CheckFinding[]> {
  const group = 'Nodes';
  const answer = await client.listAll(NODES);
  if (!answer.ok) return [{ group, level: 'error', text: answer.error.message, hint: 'the account has to list nodes' }];
  const findings = answer.value.map(checkNode).filter((finding) => finding !== undefined);
  if (findings.length > 0) return findings;
  return [{ group, level: 'ok', text: `${answer.value.length} Linux nodes, all ready`, hint: '' }];
}

function checkNode(node: KubeObject): CheckFinding | undefined {
  const group = 'Nodes';
  const status = fieldsOf(node['status']);
  const info = fieldsOf(status['nodeInfo']);
  const { name } = node.metadata;
  if (info['operatingSystem'] !== 'linux') {
    const text = `node ${name} runs ${String(info['operatingSystem'])}`;
    return { group, level: 'warning', text, hint: 'its pods stay outside the mesh' };
  }
  if (!ARCHITECTURES.has(info['architecture'])) {
    const text = `node ${name} is ${String(info['architecture'])}`;
    return { group, level: 'error', text, hint: 'there are images for amd64 and arm64: exclude it by nodeSelector' };
  }
  const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isRecord) : [];
  const ready = conditions.find((condition) => condition['type'] === 'Ready');
  if (ready?.['status'] === 'True') return undefined;
  const text = `node ${name} is not ready: ${String(ready?.['message'] ?? 'it does not say why')}`;
  return { group, level: 'warning', text, hint: 'an installation with --wait waits for it' };
}

async function checkNamespace(client: KubeClient, namespace: string): Promise<readonly CheckFinding[]> {
  const group = 'Namespace';
  const answer = await client.get(NAMESPACES, '', namespace);
  if (!answer.ok) {
    const absent = answer.error.status === 404;
    if (absent) return [{ group, level: 'ok', text: `${namespace} will be created`, hint: '' }];
    return [{ group, level: 'error', text: answer.error.message, hint: 'the account has to read namespaces' }];
  }
  if (isTerminating(answer.value)) {
    const hint = `install when it is gone: kubectl wait --for=delete namespace/${namespace}`;
    return [{ group, level: 'error', text: `${namespace} is being deleted`, hint }];
  }
  const level = answer.value.metadata.labels?.['pod-security.kubernetes.io/enforce'];
  if (level === undefined || level === 'privileged') {
    return [{ group, level: 'ok', text: `${namespace} admits privileged pods`, hint: '' }];
  }
  const hint = `kubectl label namespace ${namespace} --overwrite pod-security.kubernetes.io/enforce=privileged`;
  return [{ group, level: 'error', text: `${namespace} enforces the pod security level ${level}`, hint }];
}

/** Two meshes would redirect the same pods. */
async function checkOtherMeshes(client: KubeClient, namespace: string): Promise<readonly CheckFinding[]> {
  const group = 'Other meshes';
  const looks = [await findForeignMeshes(client), await findOtherInstallations(client, namespace)];
  const findings = looks.flatMap((look): CheckFinding[] => {
    if (!look.ok) return [unknown(group, look.error)];
    return look.value.map(({ text, hint }) => ({ group, level: 'error', text, hint }));
  });
  return findings.length > 0 ? findings : [{ group, level: 'ok', text: 'none', hint: '' }];
}

type OtherMeshes = Result<readonly Pick<CheckFinding, 'text' | 'hint'>[], string>;

async function findForeignMeshes(client: KubeClient): Promise<OtherMeshes> {
  const found: string[] = [];
  for (const [kind, names] of FOREIGN_MESHES) {
    const answer = await client.listAll(kind);
    if (!answer.ok) return fail(answer.error.message);
    for (const { metadata } of answer.value) {
      const { name, namespace, labels } = metadata;
      if (names.includes(name) && labels?.[PART_OF_LABEL] !== PART_OF) found.push(`${kind.kind} ${namespace}/${name}`);
    }
  }
  const hint = 'uninstall the other mesh first: two agents would redirect the same pods';
  return ok(found.length === 0 ? [] : [{ text: found.join(', '), hint }]);
}

async function findOtherInstallations(client: KubeClient, namespace: string): Promise<OtherMeshes> {
  try {
    const others = (await findInstallations(client)).filter((found) => found.namespace !== namespace);
    return ok(
      others.map((other) => ({ text: elsewhereText(other), hint: `a cluster takes one: ${removalHint(other)}` })),
    );
  } catch (error) {
    return fail(errorText(error));
  }
}

/** What the API server does not say is no good news. */
function unknown(group: string, reason: string): CheckFinding {
  return { group, level: 'warning', text: `unknown: ${reason}`, hint: 'look again with an account that may' };
}

async function checkGatewayApi(client: KubeClient): Promise<readonly CheckFinding[]> {
  const group = 'Gateway API';
  const answer = await client.get(CUSTOM_RESOURCE_DEFINITIONS, '', 'gateways.gateway.networking.k8s.io');
  if (answer.ok) return [{ group, level: 'ok', text: 'its CRDs are installed', hint: '' }];
  const hint = 'needed for waypoints only; they are taken up whenever they come';
  return [{ group, level: 'warning', text: 'its CRDs are not installed', hint }];
}
