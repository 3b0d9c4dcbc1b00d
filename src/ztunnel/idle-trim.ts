/**
 * Gives back what the C library keeps of a burst, once the process has next to nothing to do. `bin/ambit` has it keep freed
 * memory for the next connection, which is faster as long as there is one; a proxy that carried bulk for many streams would
 * hold their buffers for good. Every thread asks for itself: one cannot give back what lies at the end of another's memory.
 */
import type { Clock } from '../base/clock.ts';
import { hasNativeAddon } from '../native/addon.ts';
import { trimMemory } from '../native/sockets.ts';
import { IdleRest } from './idle-rest.ts';

/** A change below which nothing is done. */
const WORTHWHILE_BYTES = 4 * 1024 * 1024;

export interface TrimmedProcess {
  /** Its memory. */
  residentBytes(): number;
  /** CPU time of all its threads. */
  cpuMs(): number;
  trim(): void;
}

export function idleTrim(clock: Clock, { residentBytes, cpuMs, trim }: TrimmedProcess = THIS_PROCESS): IdleRest {
  let last = { cpuMs: 0, atMs: 0 };
  return new IdleRest(clock, {
    heldBytes: residentBytes,
    busyShare: () => {
      const now = { cpuMs: cpuMs(), atMs: clock.monotonicMs() };
      const share = (now.cpuMs - last.cpuMs) / Math.max(1, now.atMs - last.atMs);
      last = now;
      return share;
    },
    // Less counts, too: a heap was compacted meanwhile, and the buffers that its garbage held are free only now.
    isWorthwhile: (heldBytes, keptBytes) => Math.abs(heldBytes - keptBytes) >= WORTHWHILE_BYTES,
    giveBack: trim,
  });
}

const THIS_PROCESS: TrimmedProcess = {
  residentBytes: () => process.memoryUsage.rss(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  // Without the addon a proxy runs all the same, and keeps what it has.
  trim: () => void (hasNativeAddon() && trimMemory()),
};
