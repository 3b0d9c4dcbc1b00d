/**
 * Makes the pods that run the pods that the manifests ask for: what scheduler and Deployment controller are to a cluster.
 *
 * Invariants:
 * - At most one pod of a name exists; a bare pod is replaced only after the old one has ended.
 * - Of a changed Deployment the old replicas serve until the new ones are ready.
 * - A pod that cannot be made is made again later; nothing else waits for it.
 */
import type { Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { EngineContext } from './engine-context.ts';
import type { EngineNode } from './engine-node.ts';
import { pickNode } from './pick-node.ts';
import { nodeLabels } from './pod-manifest.ts';
import { type PodGroup, replicaName } from './pod-plan.ts';
import { PodRunner } from './pod-runner.ts';

export const STOP_GRACE_MS = 2000;
const RETRY_MS = 2000;

export interface PodControllerDeps {
  readonly context: EngineContext;
  readonly nodes: readonly EngineNode[];
  readonly shouldEnrol: (group: PodGroup) => boolean;
  /** Called after every change of a pod. */
  readonly onPod: (pod: PodRunner) => void;
  /** Called when a pod has ended for good. */
  readonly onPodGone: (pod: PodRunner) => void;
}

export class PodController {
  readonly #deps: PodControllerDeps;
  readonly #pods = new Set<PodRunner>();
  readonly #unplaceable = new Set<string>();
  /** Groups whose last pod could not be made: when to try again. */
  readonly #notBeforeMs = new Map<string, number>();
  #groups: ReadonlyMap<string, PodGroup> = new Map();
  #retry: Timer | undefined;
  #stopped = false;

  constructor(deps: PodControllerDeps) {
    this.#deps = deps;
  }

  get pods(): Iterable<PodRunner> {
    return this.#pods;
  }

  /** Pods that are asked for, whether or not they could be made yet. */
  get wanted(): number {
    return [...this.#groups.values()].reduce((sum, { replicas }) => sum + replicas, 0);
  }

  /** Takes the pods that are asked for from now on. */
  setGroups(groups: ReadonlyMap<string, PodGroup>): void {
    this.#groups = groups;
    this.reconcile();
  }

  /** Compares what runs with what is asked for, and acts. */
  reconcile(): void {
    if (this.#stopped) return;
    for (const pod of this.#pods) {
      if (!this.#groups.has(pod.group.key)) this.#stop(pod);
    }
    for (const group of this.#groups.values()) this.#reconcileGroup(group);
  }

  /** Ends all pods. */
  async stopAll(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await Promise.all([...this.#pods].map((pod) => pod.stop(graceMs)));
  }

  #reconcileGroup(group: PodGroup): void {
    const members = [...this.#pods].filter((pod) => pod.group.key === group.key);
    const living = members.filter((pod) => !pod.isStopping);
    const fresh = living.filter((pod) => pod.group.hash === group.hash);
    const stale = living.filter((pod) => pod.group.hash !== group.hash);
    const enrol = this.#deps.shouldEnrol(group);
    for (const pod of fresh) {
      pod.setGroup(group);
      pod.setEnrolment(enrol);
    }
    for (const pod of fresh.slice(group.replicas)) this.#stop(pod);
    const ready = fresh.filter((pod) => pod.isReady).length;
    if (group.kind === 'Pod' || ready >= group.replicas) for (const pod of stale) this.#stop(pod);
    if (group.kind === 'Pod' && members.length > fresh.length) return;
    if (this.#deps.context.clock.monotonicMs() < (this.#notBeforeMs.get(group.key) ?? 0)) return;
    for (let count = fresh.length; count < group.replicas; count++) this.#create(group, enrol);
  }

  #create(group: PodGroup, enrol: boolean): void {
    const { context, nodes, onPod } = this.#deps;
    const placed = [...this.#pods].map((pod) => ({ node: pod.node.name, group: pod.group.key }));
    const choices = nodes.map(({ name, plan }) => ({ name, labels: nodeLabels(plan) }));
    const chosen = pickNode(choices, placed, group.key, group.spec);
    const node = nodes.find(({ name }) => name === chosen);
    if (node === undefined) return this.#reportUnplaceable(group);
    const name = replicaName(group, context.random);
    const pod: PodRunner = new PodRunner({ group, name, node, enrol }, context, () => {
      if (this.#pods.has(pod)) onPod(pod);
    });
    this.#pods.add(pod);
    pod.start().catch((error: unknown) => {
      if (pod.isStopping) return;
      context.logger.error('pod cannot be started', { pod: `${group.namespace}/${name}`, reason: errorText(error) });
      this.#notBeforeMs.set(group.key, context.clock.monotonicMs() + RETRY_MS);
      this.#retry = context.clock.after(RETRY_MS + 1, () => this.reconcile());
      this.#stop(pod);
    });
  }

  #stop(pod: PodRunner): void {
    if (pod.isStopping) return;
    void pod.stop(STOP_GRACE_MS).then(() => {
      this.#pods.delete(pod);
      this.#deps.onPodGone(pod);
      this.reconcile();
    });
  }

  #reportUnplaceable(group: PodGroup): void {
    const { nodeName, nodeSelector } = group.spec;
    const wanted = nodeName === '' ? [...nodeSelector].map((pair) => pair.join('=')).join(',') : nodeName;
    const id = `${group.key} ${wanted}`;
    if (this.#unplaceable.has(id)) return;
    this.#unplaceable.add(id);
    const nodes = this.#deps.nodes.map(({ name }) => name).join(' ');
    const { logger, say } = this.#deps.context;
    logger.error('pod has no node', { pod: group.key, wanted, nodes });
    say(`${group.key} has no node: it asks for ${wanted}, and there are ${nodes}`);
  }
}
