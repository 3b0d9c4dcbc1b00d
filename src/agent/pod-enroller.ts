/**
 * Brings pods into the mesh and out of it (facts ztunnel-wire 3.6).
 *
 * Invariants:
 * - a pod whose programs have not started: rules first, then ztunnel, so that a connection in the gap is refused, never
 *   plaintext;
 * - a pod whose programs run: ztunnel first, then rules, so that no new connection is refused; those that are open have
 *   `joinDrainMs` to end. While ztunnel does not take it nothing is redirected; what was redirected before stays so: a pod
 *   that was in the mesh fails closed;
 * - a pod that leaves and lives on: first no new connection is redirected, and when ztunnel's have ended, or the drain
 *   is over, the rest goes;
 * - connection tracking forgets what was redirected when the rules are gone, and before rules come to a pod that has none:
 *   without rules there is no address translation, and with the next ones a connection on the same port would be sent to
 *   the end of one that ztunnel has long closed. Queries are forgotten before the rules go: the next one from the same
 *   port would be refused;
 * - operations on one pod run one after the other, those on different pods at the same time;
 * - a pod whose rules failed is not kept; a pod that ztunnel did not take is kept as partial and offered again after
 *   5 ms, doubling to 5 s.
 */
import { closeSync } from 'node:fs';
import { Backoff } from '../base/backoff.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type AgentPod, podText } from '../model/agent-pod.ts';
import { netnsId } from '../native/sockets.ts';
import { type CaptureScope, DNS_PROXY_PORT, type InPodRuleOptions, REDIRECT_PORTS } from './in-pod-rules.ts';
import type { RulesFound } from './iptables-save.ts';
import { isHostNetns, netnsPath, openPodNetns } from './pod-netns.ts';
import type { PodRegistry, RulesOfPartial } from './pod-registry.ts';
import { podRuleOptions } from './pod-rule-options.ts';
import { connectionsOfPod, cutConnections, hasProxiedConnections, type PodSocket } from './pod-sockets.ts';
import type { RuleApplier } from './rule-applier.ts';
import type { RunCommand } from './run-command.ts';
import type { ZdsServer } from './zds-server.ts';

const RETRY_INITIAL_MS = 5;
const RETRY_MAX_MS = 5000;
const DRAIN_CHECK_MS = 1000;
const REMOVAL_POLL_MS = 250;

export interface PodEnrollerOptions {
  /** The rules of pods without annotations. */
  readonly rules: InPodRuleOptions;
  /** How long ztunnel's connections of a pod that leaves have to end. 0 cuts them at once. */
  readonly leaveDrainMs: number;
  /** How long connections that were open when a running pod joined may go on as they are. */
  readonly joinDrainMs: number;
}

export interface PodEnrollerDeps {
  readonly registry: PodRegistry;
  readonly applier: Pick<RuleApplier, 'apply' | 'inspect' | 'remove'>;
  readonly zds: Pick<ZdsServer, 'add' | 'del'>;
  readonly run: RunCommand;
  /** Makes connection tracking of a namespace forget what was redirected to these ports; throws where it cannot. */
  readonly dropRedirected: (netnsFd: number, ports: readonly number[]) => number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Lets kubelet's probes pass the mesh by. Default: nothing, as nobody probes from outside. */
  readonly probes?: ProbeExemptions;
  /** A pod was taken, is offered again, or was refused. */
  readonly onOutcome?: (uid: string, outcome: PodOutcome) => void;
}

/** The pods whose host probes pass by ztunnel. Neither call rejects. */
export interface ProbeExemptions {
  add(pod: AgentPod): Promise<void>;
  remove(uid: string): Promise<void>;
}

export type PodOutcome = 'enrolled' | 'partial' | 'failed' | 'removed' | 'remove-failed';

/** `running`: the pod has open connections. `keep`: the rules were written before the agent started. */
export type RuleHandling = 'write' | 'keep' | 'running';

/** Whether the trouble is ztunnel's, which is asked again. */
function isZdsError(error: unknown): boolean {
  return error instanceof AmbitError && error.code.startsWith('ZDS_');
}

export class PodEnroller {
  readonly #options: PodEnrollerOptions;
  readonly #deps: PodEnrollerDeps;
  /** The last operation on each pod. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #stopped = false;

  constructor(options: PodEnrollerOptions, deps: PodEnrollerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * Writes the pod's rules and hands it to ztunnel; resolves once ztunnel serves it. Doing it twice is harmless.
   * @throws AmbitError NETNS_*, RULES_* (the pod is not in the mesh) or ZDS_* (it is offered to ztunnel again)
   */
  add(pod: AgentPod, rules: RuleHandling = 'write'): Promise<void> {
    return this.#inTurn(pod.uid, () => this.#add(pod, rules));
  }

  /**
   * Takes up a pod that was in the mesh before the agent started: it stays redirected, whether ztunnel is there or not.
   * @returns false for a pod that nothing is redirected in
   * @throws AmbitError as `add`
   */
  adopt(pod: AgentPod, rules: 'write' | 'keep'): Promise<boolean> {
    return this.#inTurn(pod.uid, async () => {
      if ((await this.#found(pod)) !== 'capturing') return false;
      await this.#add(pod, rules);
      return true;
    });
  }

  /** Clears a pod that is not in the mesh, if there is anything to clear. @throws AmbitError NETNS_*, RULES_* */
  clearLeftovers(pod: AgentPod): Promise<void> {
    return this.#inTurn(pod.uid, async () => {
      if ((await this.#found(pod)) === 'none') return;
      await this.#clear(pod);
      this.#deps.log.info('rules of before were removed from a pod outside the mesh', { pod: podText(pod) });
    });
  }

  /** Removes what an earlier agent left in a pod that is not in the mesh. @throws AmbitError NETNS_*, RULES_* */
  clear(pod: AgentPod): Promise<void> {
    return this.#inTurn(pod.uid, () => this.#clear(pod));
  }

  /**
   * Takes a pod out of the mesh. Unknown pods are no error. Of a pod that lives on, new connections are plain from then
   * on, and those that ztunnel has are given time to end.
   * @param gone the pod has ended: its namespace is not touched
   */
  remove(uid: string, gone: boolean): Promise<void> {
    return this.#inTurn(uid, () => this.#remove(uid, gone));
  }

  /** Takes all pods out of the mesh. Never rejects. @param drainMs how long open connections have to end */
  async removeAll(drainMs: number): Promise<void> {
    const { registry, clock, log } = this.#deps;
    const warn = (error: unknown) => log.warn('a pod is left as it is', { error: errorText(error) });
    const each = (run: (uid: string) => Promise<void>) =>
      Promise.all(registry.list().map(({ pod }) => run(pod.uid).catch(warn)));
    await each((uid) => this.remove(uid, false));
    const deadlineMs = clock.monotonicMs() + drainMs;
    while (registry.list().length > 0 && clock.monotonicMs() < deadlineMs) await sleep(clock, REMOVAL_POLL_MS);
    await each((uid) => this.#inTurn(uid, () => this.#finishRemoval(uid, false)));
  }

  /**
   * Removes the rules of a namespace whose pod nobody knows any more.
   * @returns whether there were any
   * @throws AmbitError RULES_*
   */
  async clearNamespace(fd: number): Promise<boolean> {
    const { applier } = this.#deps;
    if (isHostNetns(netnsId(fd)) || (await applier.inspect(netnsPath(fd))) === 'none') return false;
    await applier.remove(netnsPath(fd));
    this.#forgetRedirected(fd, 'unknown');
    return true;
  }

  /** Ends retries. Rules and ztunnel's proxies stay as they are. */
  stop(): void {
    this.#stopped = true;
    for (const { pod } of this.#deps.registry.list()) this.#deps.registry.release(pod.uid);
  }

  #inTurn<T>(uid: string, run: () => Promise<T>): Promise<T> {
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

  async #add(pod: AgentPod, rules: RuleHandling): Promise<void> {
    const { log, registry } = this.#deps;
    if (this.#stopped) throw new AmbitError('AGENT_STOPPING', 'the agent is stopping, ask again');
    // A pod that comes back while it leaves has not lost its place in ztunnel, and has open connections.
    const returns = registry.get(pod.uid)?.state.kind === 'leaving';
    try {
      if (rules === 'running' || returns) return await this.#addRunning(pod);
      await this.#capture(pod, rules);
    } catch (error) {
      // What ztunnel does not take is counted as partial.
      if (!isZdsError(error)) this.#deps.onOutcome?.(pod.uid, 'failed');
      throw error;
    }
    await this.#offer(pod, 'written');
    log.info('pod is in the mesh', { pod: podText(pod), uid: pod.uid });
  }

  /** Opens the namespace and writes the rules. The probes are let through before, so that none of them fails. */
  async #capture(pod: AgentPod, rules: RuleHandling): Promise<void> {
    await this.#claim(pod);
    try {
      await this.#deps.probes?.add(pod);
      if (rules === 'write') await this.#applyRules(pod.uid, 'all');
    } catch (error) {
      await this.#release(pod.uid);
      throw error;
    }
  }

  /** ztunnel serves the pod before the first connection is redirected to it. What is redirected already stays so. */
  async #addRunning(pod: AgentPod): Promise<void> {
    const { applier, log, probes, registry } = this.#deps;
    await this.#claim(pod);
    const entry = registry.get(pod.uid);
    if (entry === undefined) return;
    try {
      await probes?.add(pod);
      const found = await applier.inspect(netnsPath(entry.netns.fd));
      // Chains, though emptied, keep translating: what is open must not be forgotten then.
      if (found === 'none') this.#forgetRedirected(entry.netns.fd, podText(pod));
      const isCaptured = found === 'capturing';
      if (isCaptured) await this.#redirect(pod);
      await this.#offer(pod, isCaptured ? 'written' : 'due');
    } catch (error) {
      if (!isZdsError(error)) await this.#withdraw(pod.uid);
      throw error;
    }
    log.info('running pod is in the mesh', { pod: podText(pod), uid: pod.uid });
  }

  /** New connections go to ztunnel from here on, those that are open go on as they are for a time. */
  async #redirect(pod: AgentPod): Promise<void> {
    const open = await this.#openConnections(pod.uid);
    await this.#applyRules(pod.uid, 'new-connections');
    this.#deps.clock.after(this.#options.joinDrainMs, () => this.#endSparing(pod, open));
  }

  #forgetRedirected(netnsFd: number, pod: string, ports = REDIRECT_PORTS): void {
    const { dropRedirected, log } = this.#deps;
    try {
      const connections = dropRedirected(netnsFd, ports);
      if (connections > 0) log.debug('connection tracking forgot what was redirected', { pod, connections });
    } catch (error) {
      // A kernel that does not let it: such entries end by themselves, within two minutes for a closed connection.
      log.debug('connection tracking cannot be changed', { pod, error: errorText(error) });
    }
  }

  /** Takes a pod back from ztunnel whose rules could not be written. */
  async #withdraw(uid: string): Promise<void> {
    await this.#deps.zds.del(uid);
    await this.#release(uid);
  }

  async #openConnections(uid: string): Promise<readonly PodSocket[]> {
    const entry = this.#deps.registry.get(uid);
    return entry === undefined ? [] : connectionsOfPod(netnsPath(entry.netns.fd), this.#deps.run);
  }

  /** Plaintext from before the mesh ends, and a packet of a connection that tracking does not know is refused. */
  #endSparing(pod: AgentPod, open: readonly PodSocket[]): void {
    const { registry, run, log } = this.#deps;
    this.#inTurn(pod.uid, async () => {
      const entry = registry.get(pod.uid);
      if (this.#stopped || entry?.pod !== pod || entry.state.kind === 'leaving') return;
      await this.#applyRules(pod.uid, 'all');
      const { found, left } = await cutConnections(netnsPath(entry.netns.fd), open, run);
      const fields = { pod: podText(pod), connections: found, left };
      if (left > 0)
        log.warn('connections from before the mesh go on in plaintext: this kernel cannot end them', fields);
      else if (found > 0) log.info('connections from before the mesh were cut', fields);
    }).catch((error: unknown) => {
      log.warn('the rules of a pod could not be tightened', { pod: podText(pod), error: errorText(error) });
    });
  }

  async #claim(pod: AgentPod): Promise<void> {
    const { registry, run } = this.#deps;
    const netns = await openPodNetns(pod, run);
    try {
      registry.claim(pod, netns);
    } catch (error) {
      closeSync(netns.fd);
      throw error;
    }
  }

  async #applyRules(uid: string, capture: CaptureScope): Promise<void> {
    const { registry, applier, log } = this.#deps;
    const entry = registry.get(uid);
    if (entry === undefined) return;
    const options = podRuleOptions(this.#options.rules, entry.pod, log);
    await applier.apply(netnsPath(entry.netns.fd), { ...options, capture });
  }

  async #release(uid: string): Promise<void> {
    await this.#deps.probes?.remove(uid);
    this.#deps.registry.release(uid);
  }

  async #found(pod: AgentPod): Promise<RulesFound> {
    const netns = await openPodNetns(pod, this.#deps.run);
    try {
      return await this.#deps.applier.inspect(netnsPath(netns.fd));
    } finally {
      closeSync(netns.fd);
    }
  }

  async #clear(pod: AgentPod): Promise<void> {
    const { applier, zds, run } = this.#deps;
    await zds.del(pod.uid);
    const netns = await openPodNetns(pod, run);
    try {
      await applier.remove(netnsPath(netns.fd));
      this.#forgetRedirected(netns.fd, podText(pod));
    } finally {
      closeSync(netns.fd);
      this.#deps.registry.release(pod.uid);
    }
  }

  /**
   * Offers the pod to ztunnel, and redirects it when that is still due. What ztunnel does not take becomes partial, with a
   * retry, and the error is thrown.
   */
  async #offer(
    pod: AgentPod,
    rules: RulesOfPartial,
    backoff = new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS }),
  ): Promise<void> {
    const { registry, zds } = this.#deps;
    const entry = registry.get(pod.uid);
    if (entry === undefined) return;
    try {
      await zds.add(pod, entry.netns.fd);
      if (rules === 'due') await this.#redirect(pod);
      registry.setState(pod.uid, { kind: 'enrolled' });
      this.#deps.onOutcome?.(pod.uid, 'enrolled');
    } catch (error) {
      if (isZdsError(error)) this.#offerLater(pod, rules, backoff, error);
      throw error;
    }
  }

  #offerLater(pod: AgentPod, rules: RulesOfPartial, backoff: Backoff, error: unknown): void {
    const { registry, clock } = this.#deps;
    const retry = clock.after(backoff.next(), () => this.#retry(pod, backoff));
    registry.setState(pod.uid, { kind: 'partial', rules, reason: errorText(error), retry });
    this.#deps.onOutcome?.(pod.uid, 'partial');
  }

  #retry(pod: AgentPod, backoff: Backoff): void {
    const { registry, log } = this.#deps;
    this.#inTurn(pod.uid, async () => {
      const entry = registry.get(pod.uid);
      if (this.#stopped || entry?.state.kind !== 'partial' || entry.pod !== pod) return;
      const { rules } = entry.state;
      await this.#offer(pod, rules, backoff).catch((error: unknown) => {
        if (!isZdsError(error)) this.#offerLater(pod, rules, backoff, error);
        throw error;
      });
      log.info('pod is in the mesh after a retry', { pod: podText(pod), uid: pod.uid });
    }).catch((error: unknown) => {
      const fields = { pod: podText(pod), error: errorText(error) };
      if (isZdsError(error)) log.debug('ztunnel has still not taken a pod', fields);
      else log.warn('a pod that ztunnel serves cannot be redirected, it is tried again', fields);
    });
  }

  async #remove(uid: string, gone: boolean): Promise<void> {
    const state = this.#deps.registry.get(uid)?.state.kind;
    if (gone || state !== 'enrolled' || this.#options.leaveDrainMs === 0) {
      if (gone || state !== 'leaving') await this.#finishRemoval(uid, gone);
      return;
    }
    await this.#applyRules(uid, 'none');
    this.#drain(uid, this.#deps.clock.monotonicMs() + this.#options.leaveDrainMs);
  }

  /** Looks now and then whether ztunnel still has connections of the pod. */
  #drain(uid: string, deadlineMs: number): void {
    const { registry, clock, log } = this.#deps;
    const check = () =>
      this.#inTurn(uid, async () => {
        const entry = registry.get(uid);
        if (this.#stopped || entry?.state.kind !== 'leaving') return;
        const isOver = clock.monotonicMs() >= deadlineMs;
        if (!isOver && (await hasProxiedConnections(netnsPath(entry.netns.fd), this.#deps.run))) {
          return this.#drain(uid, deadlineMs);
        }
        await this.#finishRemoval(uid, false);
      }).catch((error: unknown) => log.warn('a pod could not leave the mesh', { uid, error: errorText(error) }));
    registry.setState(uid, { kind: 'leaving', timer: clock.after(DRAIN_CHECK_MS, () => void check()) });
  }

  async #finishRemoval(uid: string, gone: boolean): Promise<void> {
    const { registry, applier, zds, log } = this.#deps;
    const entry = registry.get(uid);
    // ztunnel lets go first, while address translation still stands: the ends of its connections then reach the
    // programs. Until the rules are gone new connections are refused, never plaintext.
    await zds.del(uid);
    try {
      if (entry !== undefined && !gone) {
        this.#forgetRedirected(entry.netns.fd, podText(entry.pod), [DNS_PROXY_PORT]);
        await applier.remove(netnsPath(entry.netns.fd));
        this.#forgetRedirected(entry.netns.fd, podText(entry.pod));
      }
      if (entry !== undefined) this.#deps.onOutcome?.(uid, 'removed');
    } catch (error) {
      this.#deps.onOutcome?.(uid, 'remove-failed');
      throw error;
    } finally {
      await this.#release(uid);
    }
    if (entry !== undefined) log.info('pod left the mesh', { pod: podText(entry.pod), uid });
  }
}
