/** Pods whose traffic is redirected, and the nodes whose agent has to give them back. */
import { type Clock, sleep } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type KubeObject, objectName } from '../kube/kube-object.ts';
import { PODS } from '../kube/resource-kind.ts';
import { REDIRECTION_ANNOTATION } from '../model/installed-names.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { apiFailure } from './api-failure.ts';
import { AGENT_NAME } from './objects/agent-objects.ts';

export interface CapturedPodsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

interface Captured {
  readonly pod: string;
  readonly node: string;
}

/** What is written but not taken by a proxy yet is captured as well. */
const CAPTURED: ReadonlySet<unknown> = new Set(['enabled', 'pending']);
/** Their network namespaces are gone. */
const ENDED: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed']);
const POLL_MS = 1000;
const MAX_NAMED = 10;

/**
 * Waits until every node with captured pods has an agent that is ready, so that it can give them back.
 * @throws AmbitError AGENT_AWAY, INSTALL_LIST_FAILED
 */
export async function waitForAgents(namespace: string, timeoutMs: number, deps: CapturedPodsDeps): Promise<void> {
  const stranded = await poll(timeoutMs, deps, 'agents of nodes with pods in the mesh', async () => {
    const ready = await nodesWithAgent(deps.client, namespace);
    return (await capturedPods(deps.client)).filter(({ node }) => !ready.has(node));
  });
  if (stranded.length === 0) return;
  throw new AmbitError(
    'AGENT_AWAY',
    `no agent is ready on nodes that have pods in the mesh: ${podsText(stranded)}. Nothing is deleted yet. Without its agent a node's pods stay redirected and are refused everything once ztunnel is gone: bring the agent back (kubectl get pods -n ${namespace} -l app.kubernetes.io/name=${AGENT_NAME} -o wide), wait longer with --timeout, or go on with --force and restart those pods`,
  );
}

/**
 * Waits until no pod is captured any more.
 * @throws AmbitError PODS_CAPTURED, INSTALL_LIST_FAILED
 */
export async function waitForPodsReleased(namespace: string, timeoutMs: number, deps: CapturedPodsDeps): Promise<void> {
  const captured = await poll(timeoutMs, deps, 'pods that are redirected', () => capturedPods(deps.client));
  if (captured.length === 0) return;
  throw new AmbitError(
    'PODS_CAPTURED',
    `pods are still redirected: ${podsText(captured)}. The agent of their node ended without giving them back, and ztunnel goes on serving them. Bring the agents back with ambit upgrade -n ${namespace} --wait and uninstall again, wait longer with --timeout, or go on with --force: then these pods are refused everything until they are restarted`,
  );
}

/** @returns what is left when the time is over */
async function poll(
  timeoutMs: number,
  { clock, report }: CapturedPodsDeps,
  what: string,
  look: () => Promise<readonly Captured[]>,
): Promise<readonly Captured[]> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let shown = '';
  for (;;) {
    const left = await look();
    const text = podsText(left);
    if (left.length === 0 || clock.monotonicMs() >= deadlineMs) return left;
    if (text !== shown) report(`waiting for ${what}: ${text}`);
    shown = text;
    await sleep(clock, POLL_MS);
  }
}

async function capturedPods(client: KubeClient): Promise<readonly Captured[]> {
  const pods = await listPods(client, {});
  return pods.filter(isCaptured).map((pod) => ({ pod: objectName(pod), node: nodeOf(pod) }));
}

async function nodesWithAgent(client: KubeClient, namespace: string): Promise<ReadonlySet<string>> {
  const agents = await listPods(client, { namespace, labelSelector: `app.kubernetes.io/name=${AGENT_NAME}` });
  return new Set(agents.filter(isReady).map(nodeOf));
}

async function listPods(
  client: KubeClient,
  options: { readonly namespace?: string; readonly labelSelector?: string },
): Promise<readonly KubeObject[]> {
  const answer = await client.listAll(PODS, options);
  if (answer.ok) return answer.value;
  const asked = { verb: 'list', kind: PODS, namespace: options.namespace ?? '' } as const;
  throw apiFailure('INSTALL_LIST_FAILED', 'pods cannot be listed', answer.error, asked);
}

function isCaptured(pod: KubeObject): boolean {
  const isEnded = ENDED.has(fieldsOf(pod['status'])['phase']);
  return !isEnded && CAPTURED.has(pod.metadata.annotations?.[REDIRECTION_ANNOTATION]);
}

function isReady(pod: KubeObject): boolean {
  const conditions = fieldsOf(pod['status'])['conditions'];
  const found = Array.isArray(conditions) ? conditions.map(fieldsOf) : [];
  return found.some(({ type, status }) => type === 'Ready' && status === 'True');
}

function nodeOf(pod: KubeObject): string {
  return String(fieldsOf(pod['spec'])['nodeName'] ?? '');
}

function podsText(captured: readonly Captured[]): string {
  const named = captured.slice(0, MAX_NAMED).map(({ pod, node }) => `${pod} on ${node}`);
  const more = captured.length > named.length ? ` and ${captured.length - named.length} more` : '';
  return `${named.join(', ')}${more}`;
}
