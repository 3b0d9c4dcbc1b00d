/** New hosts get less than their share at first, and more from moment to moment (facts l7-and-control 2.2). */

export interface Warmup {
  readonly durationMs: number;
  /** Share of a host that has just come. */
  readonly minimumPercent: number;
  /** 1: the share grows evenly; more: fast at first. */
  readonly aggression: number;
}

/** The factor of a host's weight, from 0 (exclusive) to 1. */
export function warmupFactor(warmup: Warmup | undefined, ageMs: number): number {
  if (warmup === undefined || ageMs >= warmup.durationMs) return 1;
  const grown = (Math.max(ageMs, 1) / warmup.durationMs) ** (1 / warmup.aggression);
  return Math.min(1, Math.max(grown, warmup.minimumPercent / 100, Number.EPSILON));
}
