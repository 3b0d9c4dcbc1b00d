/**
 * Keeps a process that runs for days as small as what it still uses of its program. Half of Node's file is only read while a
 * process starts: 40 MB that are resident for good otherwise. What is needed again comes back from the page cache, a few
 * hundred faults of a microsecond each.
 */
import type { Clock } from '../base/clock.ts';
import { hasNativeAddon, nativeAddon } from './addon.ts';

/** When what a start reads has been read. */
const FIRST_MS = 15_000;
const PERIOD_MS = 300_000;

/**
 * From now on, for as long as the process runs. Does nothing where the addon is missing.
 * @param release for this process
 */
export function keepProgramSmall(clock: Clock, release = releaseProgram): void {
  const again = () => {
    release();
    clock.after(PERIOD_MS, again);
  };
  clock.after(FIRST_MS, again);
}

/** @returns whether anything is no longer resident */
export function releaseProgram(): boolean {
  return hasNativeAddon() && nativeAddon().releaseProgram();
}
