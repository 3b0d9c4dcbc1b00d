/**
 * What the agent knows of the cluster: the pods of its node and the labels of all namespaces.
 *
 * Invariants:
 * - a pod that was deleted is remembered by uid for a while, so that an addition that began before does not survive it;
 * - listeners are called after the view has changed.
 */
import type { KubeObject } from '../../kube/kube-object.ts';
import type { ReflectorHandler } from '../../kube/reflector.ts';
import { type EligibilityRules, ineligibility, isEnrolledNamespace } from './eligibility.ts';
import { type Labels, labelsOf } from './label-selector.ts';
import { type NodePod, readNodePod } from './node-pod.ts';

/** Deleted pods that are remembered. */
const MAX_TOMBSTONES = 4096;

export interface ClusterViewListener {
  /** The pod is new, has changed, or is gone; so has its namespace. */
  onPod(uid: string): void;
  /** All pods were listed again; those that are not in the view have gone unseen. */
  onPodList(): void;
  /** What the file for the CNI plugin says may have changed. */
  onNamespaces(): void;
}

export class ClusterView {
  readonly #rules: EligibilityRules;
  readonly #pods = new Map<string, NodePod>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #tombstones = new Set<string>();
  #listener: ClusterViewListener | undefined;

  constructor(rules: EligibilityRules) {
    this.#rules = rules;
  }

  listen(listener: ClusterViewListener): void {
    this.#listener = listener;
  }

  pod(uid: string): NodePod | undefined {
    return this.#pods.get(uid);
  }

  pods(): readonly NodePod[] {
    return [...this.#pods.values()];
  }

  /** Undefined when the namespace is not known. */
  namespaceLabels(name: string): Labels | undefined {
    return this.#namespaces.get(name);
  }

  wasDeleted(uid: string): boolean {
    return this.#tombstones.has(uid);
  }

  /** Why a pod stays outside the mesh; undefined when it belongs there. */
  ineligibility(pod: NodePod, namespaceLabels = this.#namespaces.get(pod.namespace) ?? {}): string | undefined {
    return ineligibility(pod, namespaceLabels, this.#rules);
  }

  /** By name: whether a pod of the namespace may belong into the mesh, by its labels or those of a pod on this node. */
  enrolledNamespaces(): ReadonlyMap<string, boolean> {
    const enrolled = new Map<string, boolean>();
    for (const [name, labels] of this.#namespaces) enrolled.set(name, isEnrolledNamespace(name, labels, this.#rules));
    for (const pod of this.#pods.values()) {
      if (this.ineligibility(pod) === undefined) enrolled.set(pod.namespace, true);
    }
    return enrolled;
  }

  /** For the reflector of the node's pods. */
  readonly podHandler: ReflectorHandler = {
    replace: (objects) => {
      const before = new Set(this.#pods.keys());
      for (const object of objects) {
        const uid = this.#storePod(object);
        if (uid !== undefined) before.delete(uid);
      }
      for (const uid of before) this.#forgetPod(uid);
      for (const uid of [...before, ...this.#pods.keys()]) this.#listener?.onPod(uid);
      this.#listener?.onPodList();
      this.#listener?.onNamespaces();
    },
    upsert: (object) => {
      const uid = this.#storePod(object);
      if (uid === undefined) return;
      this.#listener?.onPod(uid);
      this.#listener?.onNamespaces();
    },
    remove: ({ metadata }) => {
      if (metadata.uid === undefined) return;
      this.#forgetPod(metadata.uid);
      this.#listener?.onPod(metadata.uid);
      this.#listener?.onNamespaces();
    },
  };

  /** For the reflector of namespaces. */
  readonly namespaceHandler: ReflectorHandler = {
    replace: (objects) => {
      this.#namespaces.clear();
      for (const { metadata } of objects) this.#namespaces.set(metadata.name, labelsOf(metadata.labels));
      for (const uid of this.#pods.keys()) this.#listener?.onPod(uid);
      this.#listener?.onNamespaces();
    },
    upsert: (object) => this.#onNamespace(object, true),
    remove: (object) => this.#onNamespace(object, false),
  };

  #onNamespace({ metadata }: KubeObject, exists: boolean): void {
    // The pods of a namespace end before it does; what is left of them is theirs to tell.
    if (exists) this.#namespaces.set(metadata.name, labelsOf(metadata.labels));
    else this.#namespaces.delete(metadata.name);
    for (const pod of this.#pods.values())
      if (exists && pod.namespace === metadata.name) this.#listener?.onPod(pod.uid);
    this.#listener?.onNamespaces();
  }

  #storePod(object: KubeObject): string | undefined {
    const pod = readNodePod(object);
    if (pod === undefined) return undefined;
    this.#pods.set(pod.uid, pod);
    return pod.uid;
  }

  #forgetPod(uid: string): void {
    this.#pods.delete(uid);
    this.#tombstones.add(uid);
    for (const oldest of this.#tombstones) {
      if (this.#tombstones.size <= MAX_TOMBSTONES) break;
      this.#tombstones.delete(oldest);
    }
  }
}
