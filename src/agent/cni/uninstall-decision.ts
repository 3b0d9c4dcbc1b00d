/**
 * Whether an agent that is told to stop leaves the node for good: its DaemonSet is deleted, and not just rolled out.
 *
 * What the API server says at the end decides, and what was seen before counts where it says nothing:
 *
 * | the DaemonSet, asked at the end | leaves |
 * |---|---|
 * | is there | when it, or the agent's namespace, is being deleted |
 * | is not there | yes |
 * | cannot be read: no rights any more (401, 403), no answer | when it was seen deleted, or the namespace being deleted |
 *
 * `kubectl delete -f` takes the rights away before the agent is told to stop, so the agent watches both while it runs; a
 * watch outlives the rights that it began with. When nothing was seen the agent stays: it may be restarted while the API
 * server is away, or by somebody who broke its rights, and pods of the mesh must not fall back to plaintext for that.
 */
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import type { ReflectorHandler } from '../../kube/reflector.ts';
import { DAEMON_SETS, NAMESPACES, PODS } from '../../kube/resource-kind.ts';

/** A pod has 30 s to end; the API server gets little of it. */
const TIMEOUT_MS = 2000;

export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
}

/** What an agent that is told to stop does. */
export interface Departure {
  readonly leaves: boolean;
  /** Whether the API server still lets the agent take annotations off. */
  readonly canWrite: boolean;
}

/** The DaemonSet that owns the agent's pod; undefined when there is none or nobody knows. */
export async function findDaemonSet(client: Pick<KubeClient, 'get'>, pod: OwnPod): Promise<string | undefined> {
  const answer = await client.get(PODS, pod.namespace, pod.name, { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) return undefined;
  return answer.value.metadata.ownerReferences?.find(({ kind }) => kind === 'DaemonSet')?.name;
}

/** Remembers that the agent's DaemonSet, or its namespace, is being deleted. */
export class UninstallSigns {
  readonly #namespace: string;
  #isDaemonSetDeleted = false;
  #isNamespaceEnding = false;
  #wasListed = false;

  /** @param namespace of the agent */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  get wereSeen(): boolean {
    return this.#isDaemonSetDeleted || this.#isNamespaceEnding;
  }

  /** For the watch of the agent's DaemonSet. One that is made again, such as by `kubectl replace`, takes the sign back. */
  readonly daemonSetHandler: ReflectorHandler = {
    // A list without it comes after a deletion that the watch missed; an empty first one says nothing.
    replace: (objects) => {
      const own = objects[0];
      if (own !== undefined) this.#seen(own);
      else if (this.#wasListed) this.#isDaemonSetDeleted = true;
    },
    upsert: (object) => this.#seen(object),
    remove: () => {
      this.#isDaemonSetDeleted = true;
    },
  };

  /** Told of every namespace. */
  onNamespace({ metadata }: KubeObject): void {
    if (metadata.name === this.#namespace) this.#isNamespaceEnding = isEnding(metadata);
  }

  #seen({ metadata }: KubeObject): void {
    this.#wasListed = true;
    this.#isDaemonSetDeleted = isEnding(metadata);
  }
}

function isEnding({ deletionTimestamp }: KubeObject['metadata']): boolean {
  return deletionTimestamp !== undefined;
}

/** Decides by the table above. @param daemonSet undefined when it is not known */
export async function decideDeparture(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  daemonSet: string | undefined,
  signs: Pick<UninstallSigns, 'wereSeen'>,
): Promise<Departure> {
  const options = { timeoutMs: TIMEOUT_MS };
  const [own, around] = await Promise.all([
    daemonSet === undefined ? undefined : client.get(DAEMON_SETS, namespace, daemonSet, options),
    client.get(NAMESPACES, '', namespace, options),
  ]);
  const isNamespaceEnding = around.ok && isEnding(around.value.metadata);
  if (own?.ok) return { leaves: isEnding(own.value.metadata) || isNamespaceEnding, canWrite: true };
  if (own?.error.isNotFound) return { leaves: true, canWrite: true };
  const isNamespaceGone = !around.ok && around.error.isNotFound;
  return { leaves: signs.wereSeen || isNamespaceEnding || isNamespaceGone, canWrite: around.ok };
}
