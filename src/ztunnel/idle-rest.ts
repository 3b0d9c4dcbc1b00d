/**
 * Gives memory back after a burst, once who holds it has next to nothing to do: V8 and the C library by themselves keep what
 * many pods, connections or a large feed left.
 *
 * Invariant: who is at work never stands still for it.
 */
import type { Clock, Timer } from '../base/clock.ts';

const PERIOD_MS = 10_000;
/** Of the time since the last look, above which it counts as work. */
const BUSY_SHARE = 0.02;

export interface IdleRestDeps {
  /** What is held, in bytes. */
  heldBytes(): number;
  /** The share of the time since the last call in which there was work. */
  busyShare(): number;
  /** @param keptBytes what was held when memory was given back last; 0 before */
  isWorthwhile(heldBytes: number, keptBytes: number): boolean;
  giveBack(): void;
}

export class IdleRest {
  readonly #clock: Clock;
  readonly #deps: IdleRestDeps;
  #keptBytes = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, deps: IdleRestDeps) {
    this.#clock = clock;
    this.#deps = deps;
  }

  start(): void {
    this.#deps.busyShare();
    this.#timer = this.#clock.after(PERIOD_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { heldBytes, busyShare, isWorthwhile, giveBack } = this.#deps;
    this.#timer = this.#clock.after(PERIOD_MS, () => this.#look());
    const isBusy = busyShare() > BUSY_SHARE;
    if (isBusy || !isWorthwhile(heldBytes(), this.#keptBytes)) return;
    giveBack();
    // Also where it could not be: what is too large is not looked at again before it has changed.
    this.#keptBytes = heldBytes();
  }
}
