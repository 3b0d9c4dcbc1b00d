/** Waits for Deployments and DaemonSets, and says what holds them up when they do not come. */
import { type Clock, sleep } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { DAEMON_SETS, DEPLOYMENTS, NAMESPACES, PODS, type ResourceKind } from '../kube/resource-kind.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { kubectlName } from './install-kinds.ts';
import { PART_OF_SELECTOR } from './objects/common.ts';

export interface RolloutDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

interface Progress {
  readonly title: string;
  readonly ready: number;
  readonly wanted: number;
  readonly done: boolean;
}

const POLL_MS = 1000;
const MAX_DIAGNOSES = 6;

/**
 * Waits until every Deployment and DaemonSet of the installation runs its newest version.
 * @throws AmbitError ROLLOUT_INCOMPLETE with what its pods wait for
 */
export async function waitForRollout(namespace: string, timeoutMs: number, deps: RolloutDeps): Promise<void> {
  const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
  let shown = '';
  for (;;) {
    const progress = await rolloutProgress(deps.client, namespace);
    const text = progress.map(({ title, ready, wanted }) => `${title} ${ready}/${wanted}`).join(', ');
    if (text !== shown) deps.report(`waiting: ${text || 'nothing is there yet'}`);
    shown = text;
    if (progress.length > 0 && progress.every(({ done }) => done)) return;
    if (deps.clock.monotonicMs() > deadlineMs) throw await incomplete(deps.client, namespace, progress);
    await sleep(deps.clock, POLL_MS);
  }
}

/**
 * Waits until no pod of a component is left.
 * @throws AmbitError PODS_REMAIN
 */
export async function waitForPodsGone(
  namespace: string,
  component: string,
  timeoutMs: number,
  deps: RolloutDeps,
): Promise<void> {
  const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
  const labelSelector = `app.kubernetes.io/name=${component}`;
  for (;;) {
    const pods = await deps.client.listAll(PODS, { namespace, labelSelector });
    if (pods.ok && pods.value.length === 0) return;
    if (deps.clock.monotonicMs() > deadlineMs) {
      const names = pods.ok ? pods.value.map((pod) => pod.metadata.name).join(', ') : pods.error.message;
      throw new AmbitError('PODS_REMAIN', `pods of ${component} are still there: ${names}`);
    }
    await sleep(deps.clock, POLL_MS);
  }
}

/**
 * Waits until a namespace that is being deleted is gone.
 * @throws AmbitError NAMESPACE_TERMINATING with what holds it
 */
export async function waitForNamespaceGone(namespace: string, timeoutMs: number, deps: RolloutDeps): Promise<void> {
  const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
  deps.report(`waiting: namespace ${namespace} goes`);
  for (;;) {
    const found = await deps.client.get(NAMESPACES, '', namespace);
    if (!found.ok && found.error.status === 404) return;
    if (deps.clock.monotonicMs() > deadlineMs) {
      const why = found.ok ? holdUpOf(found.value) : found.error.message;
      throw new AmbitError('NAMESPACE_TERMINATING', `namespace ${namespace} is still being deleted${why}`);
    }
    await sleep(deps.clock, POLL_MS);
  }
}

/** What the API server says is left in a namespace. */
function holdUpOf(namespace: KubeObject): string {
  const conditions = listOf(fieldsOf(namespace['status'])['conditions']).map(fieldsOf);
  const messages = conditions.filter(({ status }) => status === 'True').map(({ message }) => String(message));
  return messages.length === 0 ? '' : `: ${messages.join('; ')}`;
}

async function rolloutProgress(client: KubeClient, namespace: string): Promise<readonly Progress[]> {
  const progress: Progress[] = [];
  for (const kind of [DEPLOYMENTS, DAEMON_SETS]) {
    const found = await client.listAll(kind, { namespace, labelSelector: PART_OF_SELECTOR });
    if (found.ok) progress.push(...found.value.map((object) => progressOf(kind, object)));
  }
  return progress;
}

function progressOf(kind: ResourceKind, object: KubeObject): Progress {
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  const isDaemonSet = kind === DAEMON_SETS;
  const wanted = isDaemonSet ? numberOf(status['desiredNumberScheduled']) : numberOf(spec['replicas'] ?? 1);
  const updated = numberOf(status[isDaemonSet ? 'updatedNumberScheduled' : 'updatedReplicas']);
  const ready = numberOf(status[isDaemonSet ? 'numberAvailable' : 'availableReplicas']);
  const total = isDaemonSet ? wanted : numberOf(status['replicas']);
  const observed = numberOf(status['observedGeneration']) >= numberOf(object.metadata.generation);
  const done = observed && updated >= wanted && ready >= wanted && total <= wanted && (wanted > 0 || !isDaemonSet);
  return { title: kubectlName(kind, object.metadata.name), ready: Math.min(ready, updated), wanted, done };
}

async function incomplete(client: KubeClient, namespace: string, progress: readonly Progress[]): Promise<AmbitError> {
  const open = progress.filter(({ done }) => !done).map(({ title, ready, wanted }) => `${title} ${ready}/${wanted}`);
  const pods = await client.listAll(PODS, { namespace, labelSelector: PART_OF_SELECTOR });
  const reasons = pods.ok ? pods.value.flatMap(podProblems).slice(0, MAX_DIAGNOSES) : [pods.error.message];
  const details = reasons.length === 0 ? '' : `; ${reasons.join('; ')}`;
  return new AmbitError('ROLLOUT_INCOMPLETE', `not ready in time: ${open.join(', ')}${details}`);
}

/** What a pod waits for, as its status says. */
function podProblems(pod: KubeObject): string[] {
  const status = fieldsOf(pod['status']);
  const waiting = listOf(status['containerStatuses']).flatMap(containerProblem);
  if (waiting.length > 0) return [`pod ${pod.metadata.name}: ${waiting.join(', ')}`];
  const conditions = listOf(status['conditions']).map(fieldsOf);
  const failed = conditions.find((condition) => condition['status'] === 'False' && condition['message'] !== undefined);
  return failed === undefined ? [] : [`pod ${pod.metadata.name}: ${String(failed['message'])}`];
}

/** Why a container waits and, when it ended before, its last words. */
function containerProblem(container: unknown): string[] {
  const { state, lastState } = fieldsOf(container);
  const { reason, message } = fieldsOf(fieldsOf(state)['waiting']);
  if (reason === undefined) return [];
  const last = fieldsOf(fieldsOf(lastState)['terminated'])['message'];
  const words = typeof last === 'string' && last.trim() !== '' ? `; it ended with: ${last.trim()}` : '';
  return [`${String(reason)} ${String(message ?? '')}`.trim() + words];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
