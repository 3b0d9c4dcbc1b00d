/** Durations in configuration: `250ms`, `30s`, `5m`, `24h`, and sums such as `1h30m`. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `parseDurationMs` understands. */
export const DURATION_PATTERN = /^(0|(\d+(\.\d+)?(ms|s|m|h|d))+)$/;

/** Reads a duration in milliseconds; undefined when the text is none. A bare `0` is zero. */
export function parseDurationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (!DURATION_PATTERN.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount, , unit] of trimmed.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return totalMs;
}
