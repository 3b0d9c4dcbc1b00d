/** Which certificates this proxy needs: one per identity of the tunnelled workloads it serves (facts ztunnel-wire 10.2). */

import type { StateChange } from '../mesh/mesh-state.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';

export interface PrefetchTarget {
  prefetch(identity: SpiffeId): void;
  forget(identity: SpiffeId): void;
}

/** Follows the feed and tells `target` which identities came to this proxy and which left with their last workload. */
export class CertificatePrefetch {
  readonly #isServedHere: (workload: Workload) => boolean;
  readonly #target: PrefetchTarget;
  readonly #identities = new Map<string, SpiffeId>();
  readonly #uses = new Map<SpiffeId, number>();

  /** @param isServedHere whether this proxy serves the workload, were it tunnelled */
  constructor(isServedHere: (workload: Workload) => boolean, target: PrefetchTarget) {
    this.#isServedHere = isServedHere;
    this.#target = target;
  }

  apply(changes: readonly StateChange[]): void {
    const released: SpiffeId[] = [];
    for (const change of changes) {
      if (change.kind === 'workload') this.#update(change.workload.uid, this.#identityHere(change.workload), released);
      else if (change.kind === 'remove-address') this.#update(change.name, undefined, released);
    }
    for (const identity of released) if (!this.#uses.has(identity)) this.#target.forget(identity);
  }

  #identityHere(workload: Workload): SpiffeId | undefined {
    const tunnelled = workload.protocol === 'HBONE' || workload.nativeTunnel;
    return tunnelled && this.#isServedHere(workload) ? workloadIdentity(workload) : undefined;
  }

  #update(uid: string, identity: SpiffeId | undefined, released: SpiffeId[]): void {
    const previous = this.#identities.get(uid);
    if (previous === identity) return;
    if (previous !== undefined) {
      const left = (this.#uses.get(previous) ?? 1) - 1;
      if (left > 0) this.#uses.set(previous, left);
      else {
        this.#uses.delete(previous);
        released.push(previous);
      }
      this.#identities.delete(uid);
    }
    if (identity === undefined) return;
    this.#identities.set(uid, identity);
    this.#uses.set(identity, (this.#uses.get(identity) ?? 0) + 1);
    this.#target.prefetch(identity);
  }
}
