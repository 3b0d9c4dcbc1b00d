/**
 * Brings pods into the mesh and out of it (facts ztunnel-wire 3.6).
 *
 * Invariants:
 * - rules first, then ztunnel: a connection in the gap is refused, never plaintext;
 * - operations on one pod run one after the other, those on different pods at the same time;
 * - a pod whose rules failed is not kept; a pod that ztunnel did not take is kept as partial and offered again after
 *   5 ms, doubling to 5 s.
 */
import { closeSync } from 'node:fs';
import { Backoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { InPodRuleOptions } from './in-pod-rules.ts';
import { type Pod, podText } from './pod.ts';
import { netnsPath, openPodNetns } from './pod-netns.ts';
import type { PodRegistry } from './pod-registry.ts';
import { podRuleOptions } from './pod-rule-options.ts';
import type { RuleApplier } from './rule-applier.ts';
import type { RunCommand } from './run-command.ts';
import type { ZdsServer } from './zds-server.ts';

const RETRY_INITIAL_MS = 5;
const RETRY_MAX_MS = 5000;

export interface PodEnrollerOptions {
  /** The rules of pods without annotations. */
  readonly rules: InPodRuleOptions;
}

export interface PodEnrollerDeps {
  readonly registry: PodRegistry;
  readonly applier: Pick<RuleApplier, 'apply' | 'remove'>;
  readonly zds: Pick<ZdsServer, 'add' | 'del'>;
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Logger;
}

export class PodEnroller {
  readonly #options: PodEnrollerOptions;
  readonly #deps: PodEnrollerDeps;
  /** The last operation on each pod. */
  readonly #turns = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: PodEnrollerOptions, deps: PodEnrollerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * Writes the pod's rules and hands it to ztunnel; resolves once ztunnel serves it. Doing it twice is harmless.
   * @throws AmbitError NETNS_*, RULES_* (the pod is not in the mesh) or ZDS_* (it is offered to ztunnel again)
   */
  add(pod: Pod): Promise<void> {
    return this.#inTurn(pod.uid, () => this.#add(pod));
  }

  /**
   * Takes a pod out of the mesh. Unknown pods are no error.
   * @param gone the pod has ended: its namespace is not touched
   */
  remove(uid: string, gone: boolean): Promise<void> {
    return this.#inTurn(uid, () => this.#remove(uid, gone));
  }

  /** Ends retries. Rules and ztunnel's proxies stay as they are. */
  stop(): void {
    this.#stopped = true;
    for (const { pod } of this.#deps.registry.list()) this.#deps.registry.release(pod.uid);
  }

  #inTurn(uid: string, run: () => Promise<void>): Promise<void> {
    const previous = this.#turns.get(uid) ?? Promise.resolve();
    // The failure of an earlier operation was reported to whoever asked for it.
    const turn = previous.catch(() => undefined).then(run);
    this.#turns.set(uid, turn);
    const forget = () => {
      if (this.#turns.get(uid) === turn) this.#turns.delete(uid);
    };
    turn.then(forget, forget);
    return turn;
  }

  async #add(pod: Pod): Promise<void> {
    const { registry, applier, run, log } = this.#deps;
    if (this.#stopped) throw new AmbitError('AGENT_STOPPING', 'the agent is stopping, ask again');
    const netns = await openPodNetns(pod, run);
    try {
      registry.claim(pod, netns);
    } catch (error) {
      closeSync(netns.fd);
      throw error;
    }
    try {
      await applier.apply(netnsPath(netns.fd), podRuleOptions(this.#options.rules, pod, log));
    } catch (error) {
      registry.release(pod.uid);
      throw error;
    }
    await this.#offer(pod, new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS }));
    log.info('pod is in the mesh', { pod: podText(pod), uid: pod.uid });
  }

  /** Offers the pod to ztunnel; on failure it becomes partial, a retry is due, and the error is thrown. */
  async #offer(pod: Pod, backoff: Backoff): Promise<void> {
    const { registry, zds, clock } = this.#deps;
    const entry = registry.get(pod.uid);
    if (entry === undefined) return;
    try {
      await zds.add(pod, entry.netns.fd);
      registry.setState(pod.uid, { kind: 'enrolled' });
    } catch (error) {
      const retry = clock.after(backoff.next(), () => this.#retry(pod, backoff));
      registry.setState(pod.uid, { kind: 'partial', reason: errorText(error), retry });
      throw error;
    }
  }

  #retry(pod: Pod, backoff: Backoff): void {
    this.#inTurn(pod.uid, async () => {
      const entry = this.#deps.registry.get(pod.uid);
      if (this.#stopped || entry?.state.kind !== 'partial' || entry.pod !== pod) return;
      await this.#offer(pod, backoff);
      this.#deps.log.info('pod is in the mesh after a retry', { pod: podText(pod), uid: pod.uid });
    }).catch((error: unknown) => {
      this.#deps.log.debug('ztunnel has still not taken a pod', { pod: podText(pod), error: errorText(error) });
    });
  }

  async #remove(uid: string, gone: boolean): Promise<void> {
    const { registry, applier, zds, log } = this.#deps;
    const entry = registry.get(uid);
    // ztunnel lets go first, while address translation still stands: the ends of its connections then reach the
    // programs. Until the rules are gone new connections are refused, never plaintext.
    await zds.del(uid);
    try {
      if (entry !== undefined && !gone) await applier.remove(netnsPath(entry.netns.fd));
    } finally {
      registry.release(uid);
    }
    if (entry !== undefined) log.info('pod left the mesh', { pod: podText(entry.pod), uid });
  }
}
