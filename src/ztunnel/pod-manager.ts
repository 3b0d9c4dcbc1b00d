/**
 * The pods of the node, as the agent hands them over (facts ztunnel-wire 3.4).
 *
 * Invariants:
 * - A descriptor that arrives is owned here: it is closed once its pod is gone from every data thread, or at once when
 *   it is not used.
 * - A proxy that could not start stays pending and is tried again; its pod is refused service, never bypassed.
 * - Pods go on while the agent is away; a new snapshot ends those it does not name.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { PodAssignment } from './thread-messages.ts';

/** What a request of the agent asks. */
export type PodRequest =
  | {
      readonly kind: 'add';
      readonly uid: string;
      readonly info: PodAssignment['info'] | undefined;
      readonly netnsFd: number | undefined;
    }
  | { readonly kind: 'keep'; readonly uid: string }
  | { readonly kind: 'del'; readonly uid: string }
  | { readonly kind: 'snapshot-sent' };

/** How a request went. A protocol error ends the process after its answer (facts 3.4). */
export type PodRequestOutcome =
  | { readonly kind: 'ok' }
  | { readonly kind: 'refused'; readonly message: string; readonly next: 'continue' | 'reconnect' | 'exit' };

/** A pod in the configuration dump. */
export interface PodSummary {
  readonly uid: string;
  readonly state: 'Pending' | 'Up';
  readonly info: PodAssignment['info'];
}

interface Pod {
  readonly assignment: PodAssignment & { readonly netnsFd: number };
  readonly netnsId: string;
  state: 'pending' | 'up';
}

export interface PodManagerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts a proxy in every data thread; resolves with the reason when it cannot. */
  startPod(pod: PodAssignment): Promise<string | undefined>;
  /** Ends a proxy in every data thread at once. */
  stopPod(uid: string): Promise<void>;
  closeFd(fd: number): void;
  /** Device and inode of a namespace: two descriptors of the same one are equal. */
  netnsId(fd: number): string;
  /** Called whenever readiness may have changed. */
  onChange(): void;
}

const RETRY_MS = 5000;
const OK: PodRequestOutcome = { kind: 'ok' };

export class PodManager {
  readonly #deps: PodManagerDeps;
  readonly #pods = new Map<string, Pod>();
  /** The uids that the running snapshot named. */
  #named: Set<string> | undefined = new Set();
  #connected = false;
  #started = 0;
  #stopped = 0;

  constructor(deps: PodManagerDeps) {
    this.#deps = deps;
  }

  /** Snapshot received and nothing pending. */
  get ready(): boolean {
    return this.#connected && this.#named === undefined && this.counts().pending === 0;
  }

  /** Numbers of the `workload_manager_*` metrics. */
  counts(): { active: number; pending: number; started: number; stopped: number } {
    const pending = [...this.#pods.values()].filter((pod) => pod.state === 'pending').length;
    return { active: this.#pods.size - pending, pending, started: this.#started, stopped: this.#stopped };
  }

  *summaries(): IterableIterator<PodSummary> {
    for (const { assignment, state } of this.#pods.values()) {
      yield { uid: assignment.uid, state: state === 'up' ? 'Up' : 'Pending', info: assignment.info };
    }
  }

  /** A pod that is served; undefined when there is none of the name. */
  served(namespace: string, name: string): PodAssignment | undefined {
    const found = [...this.#pods.values()].find(
      ({ state, assignment: { info } }) => state === 'up' && info.namespace === namespace && info.name === name,
    );
    return found?.assignment;
  }

  /** A connection to the agent began: its snapshot starts. */
  connected(): void {
    this.#connected = true;
    this.#named = new Set();
    this.#deps.onChange();
  }

  /** The agent is away; pods go on. */
  disconnected(): void {
    this.#connected = false;
    this.#deps.onChange();
  }

  /** Handles one request; requests come one at a time. */
  async handle(request: PodRequest): Promise<PodRequestOutcome> {
    const outcome = await this.#dispatch(request);
    this.#deps.onChange();
    return outcome;
  }

  /** Ends every pod. */
  async stop(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map((uid) => this.#remove(uid)));
  }

  #dispatch(request: PodRequest): PodRequestOutcome | Promise<PodRequestOutcome> {
    switch (request.kind) {
      case 'add':
        return this.#add(request);
      case 'keep':
        return this.#keep(request.uid);
      case 'del':
        return this.#delete(request.uid);
      case 'snapshot-sent':
        return this.#snapshotSent();
    }
  }

  async #add({ uid, info, netnsFd }: Extract<PodRequest, { kind: 'add' }>): Promise<PodRequestOutcome> {
    if (netnsFd === undefined) {
      return refused('failed to process message : missing control message with the network namespace', 'reconnect');
    }
    if (info === undefined) {
      this.#deps.closeFd(netnsFd);
      return refused(`failed to process message : add of ${uid} without workload info`, 'exit');
    }
    this.#named?.add(uid);
    const netnsId = this.#deps.netnsId(netnsFd);
    const existing = this.#pods.get(uid);
    if (existing?.netnsId === netnsId) {
      this.#deps.closeFd(netnsFd);
      return existing.state === 'up' ? OK : this.#start(existing);
    }
    const taken = [...this.#pods.values()].find((pod) => pod.netnsId === netnsId);
    if (taken !== undefined) {
      this.#deps.closeFd(netnsFd);
      const owner = taken.assignment.uid;
      return refused(`failed to process message : the network namespace of ${uid} belongs to pod ${owner}`, 'continue');
    }
    if (existing !== undefined) await this.#remove(uid);
    const pod: Pod = { assignment: { uid, info, netnsFd }, netnsId, state: 'pending' };
    this.#pods.set(uid, pod);
    return this.#start(pod);
  }

  async #start(pod: Pod): Promise<PodRequestOutcome> {
    const { logger, clock } = this.#deps;
    const problem = await this.#deps.startPod(pod.assignment);
    if (this.#pods.get(pod.assignment.uid) !== pod) return OK;
    if (problem === undefined) {
      pod.state = 'up';
      this.#started++;
      this.#deps.onChange();
      return OK;
    }
    logger.error('failed to start proxy', { uid: pod.assignment.uid, error: problem });
    clock.after(RETRY_MS, () => void this.#retry(pod));
    return refused(`failure to start proxy : ${problem}`, 'continue');
  }

  async #retry(pod: Pod): Promise<void> {
    if (this.#pods.get(pod.assignment.uid) === pod && pod.state === 'pending') await this.#start(pod);
  }

  #keep(uid: string): PodRequestOutcome {
    if (this.#named === undefined)
      return refused(`failed to process message : keep of ${uid} after the snapshot`, 'exit');
    this.#named.add(uid);
    return OK;
  }

  async #delete(uid: string): Promise<PodRequestOutcome> {
    if (this.#named !== undefined) {
      // Before the snapshot only names are collected; what runs under this name ends with the snapshot.
      this.#named.delete(uid);
      if (this.#pods.get(uid)?.state === 'pending') await this.#remove(uid);
      return OK;
    }
    await this.#remove(uid);
    return OK;
  }

  async #snapshotSent(): Promise<PodRequestOutcome> {
    const named = this.#named;
    if (named === undefined) return refused('failed to process message : second snapshot', 'exit');
    this.#named = undefined;
    const gone = [...this.#pods.keys()].filter((uid) => !named.has(uid));
    await Promise.all(gone.map((uid) => this.#remove(uid)));
    return OK;
  }

  async #remove(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    this.#pods.delete(uid);
    await this.#deps.stopPod(uid);
    this.#deps.closeFd(pod.assignment.netnsFd);
    if (pod.state === 'up') this.#stopped++;
  }
}

function refused(message: string, next: 'continue' | 'reconnect' | 'exit'): PodRequestOutcome {
  return { kind: 'refused', message, next };
}
