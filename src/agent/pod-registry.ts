/**
 * The pods of the node that are in the mesh, or on their way.
 *
 * Invariants:
 * - the registry owns the descriptor of a pod's namespace from `claim` to `release`;
 * - no two pods hold the same namespace;
 * - a pod is in the snapshot for ztunnel only after its rules were written, or when ztunnel has to serve it first
 *   (`partial` and `enrolled`), or when nothing but its uid is known (`kept`).
 */

import { closeSync } from 'node:fs';
import type { Timer } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { type AgentPod, podText } from '../model/agent-pod.ts';
import type { NetnsId } from '../native/sockets.ts';
import { type NetnsErrorCode, type PodNetns, sameNetns } from './pod-netns.ts';
import type { SnapshotEntry } from './zds-server.ts';

/** How far a pod has come. */
export type PodState =
  /** Its rules are being written. */
  | { readonly kind: 'pending' }
  /** ztunnel has not taken it yet; a retry is due. Its rules are written, or wait for ztunnel because its programs run. */
  | { readonly kind: 'partial'; readonly rules: RulesOfPartial; readonly reason: string; readonly retry: Timer }
  | { readonly kind: 'enrolled' }
  /** New connections pass ztunnel by; those it has may end until the timer looks for the last time. */
  | { readonly kind: 'leaving'; readonly timer: Timer };

export type RulesOfPartial = 'written' | 'due';

/** A pod with its open namespace. Only the registry changes it. */
export interface PodEntry {
  readonly pod: AgentPod;
  readonly netns: PodNetns;
  readonly state: PodState;
}

interface MutableEntry {
  pod: AgentPod;
  netns: PodNetns;
  state: PodState;
}

export class PodRegistry {
  readonly #pods = new Map<string, MutableEntry>();
  /** Pods known by uid only, for example after a restart of the agent. */
  readonly #kept = new Set<string>();

  get(uid: string): PodEntry | undefined {
    return this.#pods.get(uid);
  }

  /** Whether the pod is registered, or kept by its uid. */
  has(uid: string): boolean {
    return this.#pods.has(uid) || this.#kept.has(uid);
  }

  list(): readonly PodEntry[] {
    return [...this.#pods.values()];
  }

  /**
   * Registers a pod as pending, and takes over its descriptor; the one it had before is closed.
   * @throws AmbitError NETNS_IN_USE when another pod holds the namespace; the descriptor stays the caller's then
   */
  claim(pod: AgentPod, netns: PodNetns): void {
    const holder = this.#holderOf(netns.id);
    if (holder !== undefined && holder.pod.uid !== pod.uid) {
      throw new AmbitError<NetnsErrorCode>(
        'NETNS_IN_USE',
        `pod ${podText(pod)}: its network namespace ${pod.netns} belongs to pod ${podText(holder.pod)} (uid ${holder.pod.uid})`,
        { side: 'downstream' },
      );
    }
    this.release(pod.uid);
    this.#pods.set(pod.uid, { pod, netns, state: { kind: 'pending' } });
  }

  /** The one place where a state changes. Unknown uids are ignored: the pod was removed meanwhile. */
  setState(uid: string, state: PodState): void {
    const entry = this.#pods.get(uid);
    if (entry === undefined) return cancelTimer(state);
    cancelTimer(entry.state);
    entry.state = state;
  }

  /** Remembers that a pod is wanted although its namespace is not known. */
  keep(uid: string): void {
    if (!this.#pods.has(uid)) this.#kept.add(uid);
  }

  /** Forgets a pod and closes its descriptor. */
  release(uid: string): void {
    this.#kept.delete(uid);
    const entry = this.#pods.get(uid);
    if (entry === undefined) return;
    cancelTimer(entry.state);
    this.#pods.delete(uid);
    closeSync(entry.netns.fd);
  }

  /** What a ztunnel that connects now has to know. */
  snapshot(): readonly SnapshotEntry[] {
    const keep = [...this.#kept].map((uid) => ({ kind: 'keep' as const, uid }));
    const add = this.list()
      .filter(({ state }) => state.kind !== 'pending')
      .map(({ pod }) => ({ kind: 'add' as const, workload: pod, netnsFd: () => this.#offeredFd(pod.uid) }));
    return [...add, ...keep];
  }

  #offeredFd(uid: string): number | undefined {
    const entry = this.#pods.get(uid);
    return entry === undefined || entry.state.kind === 'pending' ? undefined : entry.netns.fd;
  }

  #holderOf(id: NetnsId): PodEntry | undefined {
    return this.list().find((entry) => sameNetns(entry.netns.id, id));
  }
}

function cancelTimer(state: PodState): void {
  if (state.kind === 'partial') state.retry.cancel();
  if (state.kind === 'leaving') state.timer.cancel();
}
