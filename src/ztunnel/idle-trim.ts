/**
 * Gives back what the C library keeps of a burst, once the process has next to nothing to do. `bin/ambit` has it keep freed
 * memory for the next connection, which is faster as long as there is one; a proxy that carried bulk for many streams would
 * hold their buffers for good. Every thread asks for itself: one cannot give back what lies at the end of another's memory.
 *
 * Invariant: a process that is at work never stands still for it.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { trimMemory } from '../native/sockets.ts';

const PERIOD_MS = 10_000;
/** CPU of all threads in the time since the last look, above which the process counts as busy. */
const BUSY_SHARE = 0.02;
/** A change below which nothing is done. */
const WORTHWHILE_BYTES = 4 * 1024 * 1024;

export interface IdleTrimDeps {
  readonly clock: Clock;
  /** Memory of the process. */
  residentBytes(): number;
  /** CPU time of all its threads. */
  cpuMs(): number;
  trim(): void;
}

export class IdleTrim {
  readonly #deps: IdleTrimDeps;
  #keptBytes = 0;
  #cpuMs = 0;
  #lookedMs = 0;
  #timer: Timer | undefined;

  constructor(deps: IdleTrimDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#busyShare();
    this.#timer = this.#deps.clock.after(PERIOD_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { clock, residentBytes, trim } = this.#deps;
    this.#timer = clock.after(PERIOD_MS, () => this.#look());
    const isBusy = this.#busyShare() > BUSY_SHARE;
    // Less counts, too: a heap was compacted meanwhile, and the buffers that its garbage held are free only now.
    if (isBusy || Math.abs(residentBytes() - this.#keptBytes) < WORTHWHILE_BYTES) return;
    trim();
    this.#keptBytes = residentBytes();
  }

  /** Since it was asked last. */
  #busyShare(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    const cpuMs = this.#deps.cpuMs();
    const share = (cpuMs - this.#cpuMs) / Math.max(1, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    this.#cpuMs = cpuMs;
    return share;
  }
}

/** For this process. */
export function idleTrim(clock: Clock): IdleTrim {
  return new IdleTrim({
    clock,
    residentBytes: () => process.memoryUsage.rss(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    trim: trimMemory,
  });
}
