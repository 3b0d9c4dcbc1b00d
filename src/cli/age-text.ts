/** Spans of time as kubectl prints them. */

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** `3d4h`, `5m10s`, `12s`; what lies on the other side of now has a minus. */
export function ageText(spanMs: number): string {
  const sign = spanMs < 0 ? '-' : '';
  const seconds = Math.floor(Math.abs(spanMs) / 1000);
  const first = UNITS.findIndex(([, unit]) => seconds >= unit);
  const [letter, unit] = UNITS[first] ?? ['s', 1];
  const next = UNITS[first + 1];
  const rest = next === undefined ? 0 : Math.floor((seconds % unit) / next[1]);
  const more = next === undefined || rest === 0 ? '' : `${rest}${next[0]}`;
  return `${sign}${Math.floor(seconds / unit)}${letter}${more}`;
}
