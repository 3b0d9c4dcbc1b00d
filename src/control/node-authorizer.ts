/**
 * Whether a node proxy may have a certificate for another identity (facts ztunnel-wire 10.3): only a trusted node
 * account, only for service accounts of pods on its own node, only in the mesh's trust domain. What a compromised node
 * can get is what runs on it.
 */
import { fail, ok, type Result } from '../base/result.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { serviceAccountOf } from '../model/manifest/core-objects.ts';
import type { Identity } from '../model/spiffe.ts';
import type { Caller } from './caller.ts';

export interface NodeAuthorizerOptions {
  /** `<namespace>/<service account>` of node proxies. Default `istio-system/ztunnel`. */
  readonly trustedNodeAccounts: readonly string[];
  readonly trustDomain: string;
  /**
   * Whether the node named by a signed token counts where the caller's own pod is not among the objects. True where
   * node proxies are not pods, as in the local engine. Default false: the caller's live pod decides.
   */
  readonly trustNodeOfToken?: boolean;
}

/** Decides on one impersonation. @returns the reason when it is refused; for the log, never for the caller */
export function authorizeImpersonation(
  store: ObjectStore,
  options: NodeAuthorizerOptions,
  caller: Caller,
  wanted: Identity,
): Result<void, string> {
  const account = `${caller.namespace}/${caller.serviceAccount}`;
  if (!options.trustedNodeAccounts.includes(account)) return fail(`${account} is not a trusted node account`);
  if (wanted.trustDomain !== options.trustDomain) return fail(`trust domain ${wanted.trustDomain} is not the mesh's`);
  const node = nodeOfCaller(store, options, caller);
  if (!node.ok) return node;
  for (const pod of store.podsOnNode(node.value)) {
    if (pod.meta.namespace !== wanted.namespace || pod.status.phase === 'Failed') continue;
    if (serviceAccountOf(pod.spec) === wanted.serviceAccount) return ok(undefined);
  }
  return fail(`no pod of ${wanted.namespace}/${wanted.serviceAccount} is on node ${node.value}`);
}

function nodeOfCaller(store: ObjectStore, options: NodeAuthorizerOptions, caller: Caller): Result<string, string> {
  const { namespace, serviceAccount, podName, podUid, nodeName } = caller;
  const pod = podName === '' ? undefined : store.get('Pod', namespace, podName);
  if (pod === undefined) {
    if (options.trustNodeOfToken === true && nodeName !== '') return ok(nodeName);
    return fail(podName === '' ? 'the token is not bound to a pod' : `pod ${namespace}/${podName} is not known`);
  }
  if (pod.meta.uid !== '' && pod.meta.uid !== podUid) return fail(`the token belongs to a former pod ${podName}`);
  if (serviceAccountOf(pod.spec) !== serviceAccount) return fail(`pod ${podName} runs as another service account`);
  if (pod.spec.nodeName === '') return fail(`pod ${podName} is not on a node`);
  if (nodeName !== '' && nodeName !== pod.spec.nodeName)
    return fail(`the token names node ${nodeName}, the pod another`);
  return ok(pod.spec.nodeName);
}
