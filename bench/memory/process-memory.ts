/** What processes hold, side by side: resident, anonymous, and proportional where they share (PSS). */
import { readFileSync } from 'node:fs';

export interface MemoryUse {
  readonly rssBytes: number;
  readonly anonymousBytes: number;
  readonly pssBytes: number;
  /**
   * What there would be if nothing else ran that shares their program: all that is anonymous, and the files of the largest
   * once. PSS is less where other processes of the bench run the same program.
   */
  readonly aloneBytes: number;
}

/** The sum over processes. */
export function memoryOf(pids: readonly number[]): MemoryUse {
  const all = pids.map(ofProcess);
  const sum = (of: (one: Omit<MemoryUse, 'aloneBytes'>) => number) => all.reduce((total, one) => total + of(one), 0);
  return {
    rssBytes: sum(({ rssBytes }) => rssBytes),
    anonymousBytes: sum(({ anonymousBytes }) => anonymousBytes),
    pssBytes: sum(({ pssBytes }) => pssBytes),
    aloneBytes:
      sum(({ anonymousBytes }) => anonymousBytes) + Math.max(0, ...all.map((one) => one.rssBytes - one.anonymousBytes)),
  };
}

function ofProcess(pid: number): Omit<MemoryUse, 'aloneBytes'> {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
  return { rssBytes: bytes('Rss'), anonymousBytes: bytes('Anonymous'), pssBytes: bytes('Pss') };
}
