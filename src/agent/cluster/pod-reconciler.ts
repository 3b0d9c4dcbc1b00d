/**
 * Brings what is in the mesh in line with what the cluster asks for: pods that were labelled while they run, pods the
 * CNI plugin did not see, pods that ended, and after a start of the agent all of them (facts ztunnel-wire 3.6).
 *
 * After a start of the agent there are two rounds. `adopt` takes up the pods that are redirected already, so that they are in
 * ztunnel's first snapshot. `enrol`, once ztunnel may connect, does everything else: running pods join, and what a former
 * agent left in pods outside the mesh is removed.
 *
 * Invariants:
 * - per pod one step is under way; a change meanwhile leads to another one;
 * - a pod whose namespace is not known is left as it is;
 * - what failed is tried again until the cluster no longer asks for it.
 */
import { closeSync } from 'node:fs';
import { Backoff } from '../../base/backoff.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type AgentPod, podText } from '../../model/agent-pod.ts';
import { REDIRECTION_ANNOTATION } from '../../model/installed-names.ts';
import type { PodEnroller } from '../pod-enroller.ts';
import { netnsPath } from '../pod-netns.ts';
import type { PodRegistry } from '../pod-registry.ts';
import type { ClusterView, ClusterViewListener } from './cluster-view.ts';
import { hasSidecar, type NodePod, nodeUids } from './node-pod.ts';
import type { PodLookup } from './pod-lookup.ts';
import type { FoundNetns, NetnsFinder } from './pod-processes.ts';
import type { RedirectionAnnotations } from './redirection-annotation.ts';

const RETRY_INITIAL_MS = 100;
const RETRY_MAX_MS = 15_000;
/** Steps at a time: each runs a handful of programs, which cost processor time and memory. */
const MAX_STEPS = 4;

export interface PodReconcilerOptions {
  /** Whether the rules of pods that were in the mesh before the agent started are compared and rewritten. */
  readonly reconcileRules: boolean;
}

export interface PodReconcilerDeps {
  readonly view: ClusterView;
  readonly lookup: PodLookup;
  readonly registry: PodRegistry;
  readonly enroller: Pick<PodEnroller, 'add' | 'adopt' | 'remove' | 'clear' | 'clearLeftovers'>;
  readonly finder: Pick<NetnsFinder, 'find'>;
  readonly annotations: Pick<RedirectionAnnotations, 'set' | 'forget'>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Task {
  running: boolean;
  changed: boolean;
  readonly backoff: Backoff;
}

export class PodReconciler implements ClusterViewListener {
  readonly #options: PodReconcilerOptions;
  readonly #deps: PodReconcilerDeps;
  readonly #tasks = new Map<string, Task>();
  readonly #waitingSteps: (() => void)[] = [];
  /** Pods of the start outside the mesh that were not looked into yet. */
  readonly #unseen = new Set<string>();
  #freeSteps = MAX_STEPS;
  #round: 'none' | 'adopt' | 'all' = 'none';
  #stopped = false;

  constructor(options: PodReconcilerOptions, deps: PodReconcilerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * Takes up the pods that were in the mesh before; resolves when each was tried once, at the latest after `timeoutMs`.
   * Those that are not found are kept as they are.
   */
  async adopt(timeoutMs: number): Promise<void> {
    const { view, registry, clock, log } = this.#deps;
    for (const pod of view.pods()) {
      const wasIn = pod.annotations[REDIRECTION_ANNOTATION] === 'enabled';
      if (wasIn && view.ineligibility(pod) === undefined) registry.keep(pod.uid);
    }
    this.#round = 'adopt';
    const first = Promise.all(view.pods().map(({ uid }) => this.#schedule(uid)));
    const waiting = new AbortController();
    await Promise.race([first, sleep(clock, timeoutMs, waiting.signal)]);
    waiting.abort();
    log.info('the pods of this node were looked at', { pods: view.pods().length, inMesh: registry.list().length });
  }

  /** Brings all pods in line from now on. Call `adopt` before. */
  enrol(): void {
    const { view, registry } = this.#deps;
    this.#round = 'all';
    for (const { uid } of view.pods()) this.#unseen.add(uid);
    const uids = new Set([...this.#unseen, ...registry.list().map(({ pod }) => pod.uid)]);
    for (const uid of uids) void this.#schedule(uid);
  }

  stop(): void {
    this.#stopped = true;
    this.#tasks.clear();
  }

  onPod(uid: string): void {
    if (this.#round === 'all') void this.#schedule(uid);
  }

  onPodList(): void {
    if (this.#round === 'all') void this.#findLostPods();
  }

  onNamespaces(): void {
    // Each pod of a namespace that changed is told by itself.
  }

  /** Runs a step for the pod, now or after the one under way. Resolves after its next try; never rejects. */
  async #schedule(uid: string): Promise<void> {
    const known = this.#tasks.get(uid);
    if (known?.running === true) {
      known.changed = true;
      return;
    }
    const task = known ?? {
      running: false,
      changed: false,
      backoff: new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS }),
    };
    this.#tasks.set(uid, task);
    task.running = true;
    let failure: unknown;
    do {
      task.changed = false;
      failure = await this.#tryStep(uid);
    } while (task.changed && !this.#stopped);
    task.running = false;
    if (failure === undefined || this.#stopped) this.#tasks.delete(uid);
    else this.#deps.clock.after(task.backoff.next(), () => void this.#retry(uid, task));
  }

  #retry(uid: string, task: Task): void {
    if (this.#tasks.get(uid) === task && !task.running) void this.#schedule(uid);
  }

  async #tryStep(uid: string): Promise<unknown> {
    if (this.#freeSteps === 0) await new Promise<void>((resolve) => this.#waitingSteps.push(resolve));
    else this.#freeSteps--;
    try {
      if (!this.#stopped) await this.#step(uid);
      return undefined;
    } catch (error) {
      const pod = this.#deps.view.pod(uid);
      const fields = { pod: pod === undefined ? '' : podText(pod), uid, error: errorText(error) };
      this.#deps.log.warn('a pod is not as the cluster asks for, it is tried again', fields);
      return error ?? new Error('unknown');
    } finally {
      const next = this.#waitingSteps.shift();
      if (next === undefined) this.#freeSteps++;
      else next();
    }
  }

  async #step(uid: string): Promise<void> {
    const { view, registry, enroller, annotations } = this.#deps;
    const pod = view.pod(uid);
    if (pod === undefined || pod.isTerminal) {
      if (pod === undefined) annotations.forget(uid);
      this.#unseen.delete(uid);
      if (registry.has(uid)) await enroller.remove(uid, true);
      return;
    }
    if (view.namespaceLabels(pod.namespace) === undefined) return;
    const state = registry.get(uid)?.state.kind;
    if (view.ineligibility(pod) !== undefined) return this.#round === 'all' ? this.#leave(pod) : undefined;
    if (state === 'enrolled') annotations.set(pod, 'enabled');
    else if (state === 'partial') annotations.set(pod, 'pending');
    else if ((state === undefined || state === 'leaving') && pod.ips.length > 0) await this.#join(pod);
  }

  /** The cluster does not, or no longer, ask for the pod. */
  async #leave(pod: NodePod): Promise<void> {
    const { registry, enroller, annotations } = this.#deps;
    if (registry.get(pod.uid) !== undefined) await enroller.remove(pod.uid, false);
    else if (pod.annotations[REDIRECTION_ANNOTATION] === undefined) return this.#clearLeftovers(pod);
    // The agent was away when the label went: the rules of the time before are still there.
    else await this.#withNetns(pod, (found) => enroller.clear(found));
    this.#unseen.delete(pod.uid);
    annotations.set(pod, undefined);
  }

  /** A former agent may have ended before it had removed everything. Rules of a sidecar are not the mesh's to touch. */
  async #clearLeftovers(pod: NodePod): Promise<void> {
    if (!this.#unseen.has(pod.uid) || pod.ips.length === 0) return;
    if (!pod.hostNetwork && !hasSidecar(pod)) {
      // A pod without a process has nothing left to clear.
      await this.#withNetns(pod, (found) => this.#deps.enroller.clearLeftovers(found)).catch(unlessGone);
    }
    this.#unseen.delete(pod.uid);
  }

  /** A running pod that is not in the mesh yet, or not known to be. */
  #join(pod: NodePod): Promise<void> {
    const { enroller, annotations } = this.#deps;
    return this.#withNetns(pod, async (found) => {
      try {
        if (await enroller.adopt(found, this.#options.reconcileRules ? 'write' : 'keep')) return;
        // Control planes must not send tunnels to a pod whose ztunnel may not be there yet.
        if (this.#round === 'adopt') annotations.set(pod, undefined);
        else await enroller.add(found, 'running');
      } catch (error) {
        // It is offered to ztunnel again without our doing.
        if (!(error instanceof AmbitError) || !error.code.startsWith('ZDS_')) throw error;
      }
    });
  }

  /** Looks the namespace up by the pod's processes, and tries those found until one proves to be the pod's. */
  async #withNetns(pod: NodePod, use: (pod: AgentPod) => Promise<void>): Promise<void> {
    const candidates = await this.#deps.finder.find(nodeUids(pod));
    try {
      await tryEach(pod, candidates, use);
    } finally {
      for (const { fd } of candidates) closeSync(fd);
    }
  }

  /** Pods that were added before the watch told of them, and deleted while it was interrupted. */
  async #findLostPods(): Promise<void> {
    const { view, registry, lookup, enroller, log } = this.#deps;
    for (const { pod } of registry.list()) {
      if (view.pod(pod.uid) !== undefined) continue;
      const found = await lookup.pod(pod.namespace, pod.name);
      if (!found.ok || found.value?.uid === pod.uid || view.pod(pod.uid) !== undefined) continue;
      await enroller.remove(pod.uid, true).catch((error: unknown) => {
        log.warn('a pod that is gone cannot be forgotten', { pod: podText(pod), error: errorText(error) });
      });
    }
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof AmbitError) || !error.code.startsWith('NETNS_')) throw error;
}

async function tryEach(
  { uid, name, namespace, serviceAccount, annotations, ips }: NodePod,
  candidates: readonly FoundNetns[],
  use: (pod: AgentPod) => Promise<void>,
): Promise<void> {
  let refusal: unknown = new AmbitError(
    'NETNS_NOT_FOUND',
    'no process of the pod is to be seen: does the agent run with hostPID, and does the pod run?',
    { retry: 'idempotent' },
  );
  for (const { fd } of candidates) {
    try {
      await use({ uid, name, namespace, serviceAccount, annotations, ips, netns: netnsPath(fd) });
      return;
    } catch (error) {
      if (!(error instanceof AmbitError) || !error.code.startsWith('NETNS_')) throw error;
      refusal = error;
    }
  }
  throw refusal;
}
