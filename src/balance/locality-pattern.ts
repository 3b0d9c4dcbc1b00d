/** Patterns of localities: `region/zone/subzone`, or a part of it, with `*` for the rest (facts l7-and-control 2.2). */
import type { Locality } from '../model/workload.ts';

/** What is left out at the end matches everything. */
export function matchesLocality(pattern: string, { region, zone, subzone }: Locality): boolean {
  const parts = [region, zone, subzone];
  for (const [index, wanted] of pattern.split('/').entries()) {
    if (wanted === '*') return true;
    if (wanted !== parts[index]) return false;
  }
  return true;
}
