/** The order of objects that say the same: the older one decides. */
import type { ObjectMeta } from './object-meta.ts';

/** Oldest first. An object of a folder, without a time, counts as the oldest. */
export function compareAge(a: ObjectMeta, b: ObjectMeta): number {
  return (a.createdMs ?? 0) - (b.createdMs ?? 0);
}

/** By code units, as the order must not depend on a locale. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
