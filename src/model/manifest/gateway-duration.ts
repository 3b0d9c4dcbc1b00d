/** Durations of the Gateway API (GEP-2257, facts l7-and-control 4.4). */
import type { FieldReader } from './field-reader.ts';

const DURATION = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/;
const PART = /(\d+)(h|ms|m|s)/g;
const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** The milliseconds of a duration such as `1m30s`; undefined when it is none. */
export function parseGatewayDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit = ''] of text.matchAll(PART)) totalMs += Number(count) * (UNIT_MS[unit] ?? 0);
  return totalMs;
}

/** Reads a duration; undefined when it is absent or reported. */
export function readGatewayDuration(reader: FieldReader, name: string): number | undefined {
  const text = reader.string(name);
  if (text === undefined) return undefined;
  const ms = parseGatewayDuration(text);
  if (ms === undefined) reader.report(name, `"${text}" is not a duration such as 10s, 1m30s or 500ms`);
  return ms;
}
