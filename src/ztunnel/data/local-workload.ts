/** The feed's record of a local pod, found by the names that the node agent gave (facts ztunnel-wire 6.1 step 2). */
import type { Clock } from '../../base/clock.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import type { Workload } from '../../model/workload.ts';

/** What the node agent knows of a pod. */
export interface PodInfo {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * Invariant: a record counts only when name, namespace and service account all agree with the agent, so a feed that is
 * wrong or late can never lend a pod somebody else's identity. After `close` there is no record and nobody waits: what
 * came too late for a pod that is gone is refused.
 */
export class LocalWorkload {
  readonly info: PodInfo;
  readonly #state: MeshState;
  readonly #clock: Clock;
  readonly #ask: (() => void) | undefined;
  #uid: string | undefined;
  #closed = false;
  readonly #waiting = new Set<() => void>();

  /** @param ask asks for the record where the feed does not bring it unasked */
  constructor(info: PodInfo, state: MeshState, clock: Clock, ask?: () => void) {
    this.info = info;
    this.#state = state;
    this.#clock = clock;
    this.#ask = ask;
    ask?.();
  }

  /** The record as it is now, or undefined while the feed has none. */
  current(): Workload | undefined {
    if (this.#closed) return undefined;
    const known = this.#uid === undefined ? undefined : this.#state.workload(this.#uid);
    if (known !== undefined && this.#isOurs(known)) return known;
    const found = this.#state.workloadsByName(this.info.namespace, this.info.name).find((one) => this.#isOurs(one));
    this.#uid = found?.uid;
    return found;
  }

  /** The record, waiting up to `waitMs` for the feed to bring it. */
  wait(waitMs: number): Promise<Workload | undefined> {
    const known = this.current();
    if (known !== undefined || this.#closed) return Promise.resolve(known);
    this.#ask?.();
    return new Promise((resolve) => {
      const finish = (workload: Workload | undefined) => {
        timer.cancel();
        stopListening();
        this.#waiting.delete(giveUp);
        resolve(workload);
      };
      const giveUp = () => finish(undefined);
      this.#waiting.add(giveUp);
      const timer = this.#clock.after(waitMs, giveUp);
      const stopListening = this.#state.onChange(() => {
        const workload = this.current();
        if (workload !== undefined) finish(workload);
      });
    });
  }

  /** The pod is gone: ends all waiting. */
  close(): void {
    this.#closed = true;
    for (const giveUp of [...this.#waiting]) giveUp();
  }

  get closed(): boolean {
    return this.#closed;
  }

  #isOurs(workload: Workload): boolean {
    return (
      workload.name === this.info.name &&
      workload.namespace === this.info.namespace &&
      workload.serviceAccount === this.info.serviceAccount
    );
  }
}
