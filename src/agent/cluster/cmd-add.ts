/**
 * Answers the CNI plugin: takes a new pod into the mesh when it belongs there (facts ztunnel-wire 3.5).
 *
 * Invariants:
 * - a pod gets the identity of the uid that the container runtime names; without one the API server is asked, since a
 *   pod of the same name may have taken the place of the one in the cache;
 * - a pod of a plain namespace is not held up by an API server that does not answer; one that may belong into the mesh is;
 * - a pod that was deleted meanwhile is not left in the mesh.
 */
import { AmbitError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { podText } from '../../model/agent-pod.ts';
import type { PodEnroller } from '../pod-enroller.ts';
import type { CmdAdd } from '../request-schema.ts';
import type { ClusterView } from './cluster-view.ts';
import { type NodePod, nodeUids } from './node-pod.ts';
import type { PodLookup } from './pod-lookup.ts';

export interface CmdAddDeps {
  readonly view: ClusterView;
  readonly lookup: PodLookup;
  readonly enroller: Pick<PodEnroller, 'add' | 'remove'>;
  /** Whether pods and namespaces were listed. */
  readonly isSynced: () => boolean;
  readonly log: Logger;
}

/** Takes the pod in, or leaves it alone. @throws AmbitError AGENT_NOT_READY, POD_UNKNOWN, and those of PodEnroller.add */
export async function handleCmdAdd(cmdAdd: CmdAdd, deps: CmdAddDeps): Promise<void> {
  const { view, enroller, isSynced, log } = deps;
  if (!isSynced()) {
    const why = 'the agent has not listed the pods of this node yet: can it reach the API server?';
    throw notReady(`pod ${podText(cmdAdd)} has to wait: ${why}`);
  }
  const pod = await findPod(cmdAdd, deps);
  if (pod === undefined) return;
  const reason = await ineligibility(pod, deps);
  if (reason !== undefined) {
    log.debug('pod stays outside the mesh', { pod: podText(pod), reason });
    return;
  }
  const { uid, name, namespace, serviceAccount, annotations } = pod;
  await enroller.add({ uid, name, namespace, serviceAccount, annotations, netns: cmdAdd.netns, ips: cmdAdd.ips });
  if (!view.wasDeleted(uid)) return;
  await enroller.remove(uid, true);
  throw unknown(cmdAdd, 'it was deleted while it was added');
}

/** The pod; undefined when it need not be known, because its namespace is plain. */
async function findPod(cmdAdd: CmdAdd, { view, lookup, log }: CmdAddDeps): Promise<NodePod | undefined> {
  const { uid, namespace, name } = cmdAdd;
  const cached = uid === undefined ? undefined : view.pods().find((pod) => nodeUids(pod).includes(uid));
  if (cached?.name === name && cached.namespace === namespace) return cached;
  const found = await lookup.pod(namespace, name);
  const isPlain = view.enrolledNamespaces().get(namespace) === false;
  if (!found.ok || found.value === undefined) {
    const why = found.ok ? 'the API server knows no such pod on this node' : found.error.message;
    if (!isPlain)
      throw found.ok ? unknown(cmdAdd, why) : notReady(`pod ${podText(cmdAdd)} cannot be looked up: ${why}`);
    log.warn('pod of a namespace outside the mesh starts without a look at its labels', { pod: podText(cmdAdd), why });
    return undefined;
  }
  if (uid === undefined || nodeUids(found.value).includes(uid)) return found.value;
  throw unknown(cmdAdd, `a pod of the same name has taken its place (uid ${found.value.uid}, not ${uid})`);
}

/** A namespace that looks plain may have been labelled a moment ago, so the API server is asked. */
async function ineligibility(pod: NodePod, { view, lookup }: CmdAddDeps): Promise<string | undefined> {
  const labels = view.namespaceLabels(pod.namespace);
  const reason = view.ineligibility(pod, labels ?? {});
  if (labels !== undefined && reason === undefined) return undefined;
  const fresh = await lookup.namespaceLabels(pod.namespace);
  if (fresh.ok && fresh.value !== undefined) return view.ineligibility(pod, fresh.value);
  if (labels !== undefined) return reason;
  const why = fresh.ok ? 'the API server does not know it' : fresh.error.message;
  throw notReady(`namespace ${pod.namespace} of pod ${podText(pod)} cannot be looked up: ${why}`);
}

function notReady(message: string): AmbitError<'AGENT_NOT_READY'> {
  return new AmbitError('AGENT_NOT_READY', message, { retry: 'idempotent' });
}

function unknown(cmdAdd: CmdAdd, why: string): AmbitError<'POD_UNKNOWN'> {
  return new AmbitError('POD_UNKNOWN', `pod ${podText(cmdAdd)} is not taken into the mesh: ${why}`, {
    retry: 'idempotent',
  });
}
