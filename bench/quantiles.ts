/** What samples come to. */

/** The middle one; of an even number the upper; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/**
 * How one compares with another that took turns with it: the median of the ratios in each round. Neighbours in time share what the
 * machine does beside them.
 */
export function ratioByRound<T>(ours: readonly T[], theirs: readonly T[], value: (round: T) => number): number {
  return median(
    ours.flatMap((one, round) => {
      const their = theirs[round];
      return their === undefined ? [] : [value(one) / value(their)];
    }),
  );
}

export interface Spread {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Of times in milliseconds; NaN of none. */
export function spread(valuesMs: readonly number[]): Spread {
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
