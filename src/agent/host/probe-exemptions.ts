/**
 * Keeps the node's probe rules in place and their set of addresses equal to the pods in the mesh (facts ztunnel-wire 2.3).
 *
 * Invariants:
 * - operations run one after the other;
 * - an address belongs to the pod that took it last, and only that pod takes it out: addresses are used again;
 * - a failure never keeps a pod out of the mesh: everything is rebuilt from what should be there until it works.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { AgentPod } from '../../model/agent-pod.ts';
import type { ProbeExemptions } from '../pod-enroller.ts';
import type { HostBackend } from './host-backend.ts';

/** As Istio's agent: every 2 s, here without an end. */
const RETRY_MS = 2000;
/** Others put rules into the same chains; the order is looked at so often. */
const CHECK_MS = 30_000;

export interface HostProbeDeps {
  /** Asked again after each failure: programs and modules may come later. */
  readonly backend: () => Promise<HostBackend>;
  readonly clock: Clock;
  readonly log: Logger;
}

export class HostProbeExemptions implements ProbeExemptions {
  readonly #deps: HostProbeDeps;
  /** Address to uid. */
  readonly #entries = new Map<string, string>();
  #backend: HostBackend | undefined;
  #turn: Promise<void> = Promise.resolve();
  #problem: string | undefined = 'the probe rules of the node are not written yet';
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: HostProbeDeps) {
    this.#deps = deps;
  }

  /** Why probes of pods in the mesh may fail; undefined when all is in place. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Writes the rules with an empty set; a failure is tried again. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#rebuild());
  }

  add(pod: Pick<AgentPod, 'uid' | 'ips'>): Promise<void> {
    for (const ip of pod.ips) this.#entries.set(ip, pod.uid);
    return this.#inTurn(() =>
      this.#orRebuild(async (backend) => {
        for (const ip of pod.ips) if (this.#entries.get(ip) === pod.uid) await backend.add(ip, pod.uid);
      }),
    );
  }

  remove(uid: string): Promise<void> {
    const ips = [...this.#entries].filter(([, owner]) => owner === uid).map(([ip]) => ip);
    for (const ip of ips) this.#entries.delete(ip);
    if (ips.length === 0) return Promise.resolve();
    return this.#inTurn(() =>
      this.#orRebuild(async (backend) => {
        for (const ip of ips) if (!this.#entries.has(ip)) await backend.delete(ip);
      }),
    );
  }

  /** Ends checks and retries; the rules stay, as pods stay in the mesh. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    return this.#turn;
  }

  /** Removes the rules: the mesh leaves this node. Call `stop` before. */
  async uninstall(): Promise<void> {
    await this.#turn;
    const backend = this.#backend ?? (await this.#deps.backend());
    await backend.remove();
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(run);
    return this.#turn;
  }

  async #orRebuild(change: (backend: HostBackend) => Promise<void>): Promise<void> {
    // A rebuild is due anyway, and brings the change along.
    if (this.#stopped || this.#backend === undefined || this.#problem !== undefined) return;
    try {
      await change(this.#backend);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #rebuild(): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#backend ??= await this.#deps.backend();
      await this.#backend.install(this.#entries);
      if (this.#problem !== undefined) {
        this.#deps.log.info('the probe rules of the node are in place', { backend: this.#backend.name });
      }
      this.#problem = undefined;
      this.#schedule(CHECK_MS, () => this.#check());
    } catch (error) {
      this.#failed(error);
    }
  }

  async #check(): Promise<void> {
    if (this.#stopped || this.#backend === undefined) return;
    try {
      if (await this.#backend.isInPlace()) return this.#schedule(CHECK_MS, () => this.#check());
      this.#deps.log.warn('the probe rules of the node were changed by another program, they are written again');
      await this.#rebuild();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const text = errorText(error);
    if (text !== this.#problem) {
      this.#deps.log.error('the probe rules of the node cannot be written: probes of pods in the mesh may fail', {
        error: text,
      });
    }
    this.#problem = text;
    this.#backend = undefined;
    this.#schedule(RETRY_MS, () => this.#rebuild());
  }

  #schedule(delayMs: number, run: () => Promise<void>): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.after(delayMs, () => void this.#inTurn(run));
  }
}
