/** Asks the API server about one pod or namespace, for what the watches have not told yet. */
import { fail, ok, type Result } from '../../base/result.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { KubeError } from '../../kube/kube-error.ts';
import { NAMESPACES, PODS } from '../../kube/resource-kind.ts';
import { isRecord } from '../../model/manifest/field-reader.ts';
import { type Labels, labelsOf } from './label-selector.ts';
import { type NodePod, readNodePod } from './node-pod.ts';

/** The CNI plugin waits 5 s for the whole answer. */
const TIMEOUT_MS = 1500;

export interface PodLookup {
  /** A pod of this node; undefined when there is none of that name here. */
  pod(namespace: string, name: string): Promise<Result<NodePod | undefined, KubeError>>;
  namespaceLabels(name: string): Promise<Result<Labels | undefined, KubeError>>;
}

/** @param nodeName the pods of other nodes are not this agent's */
export function createPodLookup(client: Pick<KubeClient, 'get'>, nodeName: string): PodLookup {
  const options = { timeoutMs: TIMEOUT_MS };
  return {
    async pod(namespace, name) {
      const answer = await client.get(PODS, namespace, name, options);
      if (!answer.ok) return answer.error.isNotFound ? ok(undefined) : answer;
      const spec = answer.value['spec'];
      if (isRecord(spec) && spec['nodeName'] !== nodeName) return ok(undefined);
      const pod = readNodePod(answer.value);
      if (pod !== undefined) return ok(pod);
      return fail(new KubeError('KUBE_ANSWER_INVALID', `pod ${namespace}/${name} has no uid`));
    },
    async namespaceLabels(name) {
      const answer = await client.get(NAMESPACES, '', name, options);
      if (!answer.ok) return answer.error.isNotFound ? ok(undefined) : answer;
      return ok(labelsOf(answer.value.metadata.labels));
    },
  };
}
