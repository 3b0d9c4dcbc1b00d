/** Whether an agent that is told to stop leaves the node for good: its DaemonSet is deleted, and not just rolled out. */
import type { KubeClient } from '../../kube/kube-client.ts';
import { DAEMON_SETS, PODS } from '../../kube/resource-kind.ts';

/** A pod has 30 s to end; the API server gets little of it. */
const TIMEOUT_MS = 2000;

export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
}

/** The DaemonSet that owns the agent's pod; undefined when there is none or nobody knows. */
export async function findDaemonSet(client: Pick<KubeClient, 'get'>, pod: OwnPod): Promise<string | undefined> {
  const answer = await client.get(PODS, pod.namespace, pod.name, { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) return undefined;
  return answer.value.metadata.ownerReferences?.find(({ kind }) => kind === 'DaemonSet')?.name;
}

/** True only when the API server says so: what is not known leaves the plugin in place, so that no pod slips by. */
export async function leavesNode(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  daemonSet: string | undefined,
): Promise<boolean> {
  if (daemonSet === undefined) return false;
  const answer = await client.get(DAEMON_SETS, namespace, daemonSet, { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) return answer.error.isNotFound;
  return answer.value.metadata.deletionTimestamp !== undefined;
}
