/** Numbers as people read them. */

export function perSecond(value: number): string {
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)}/s`;
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function percent(share: number | undefined): string {
  if (share === undefined) return '–';
  const value = share * 100;
  return `${value === 100 || value === 0 ? value : value.toFixed(value > 99 ? 2 : 1)} %`;
}

export function bytesPerSecond(value: number): string {
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s'];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

/** `namespace/account`; the whole of it where it has another form. */
export function identity(principal: string): string {
  if (principal === '') return 'nobody';
  return principal.replace(/^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//, '$1/');
}

/** From now until then. */
export function until(ms: number, nowMs: number): string {
  const minutes = Math.round((ms - nowMs) / 60_000);
  if (minutes <= 0) return 'over';
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

export function clockTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

const HALF_A_DAY_MS = 43_200_000;

/** A moment in a span of time: with its day where the span has several. */
export function momentText(ms: number, spanMs: number): string {
  if (spanMs < HALF_A_DAY_MS) return clockTime(ms);
  const day = new Date(ms).toLocaleDateString('en', { month: 'short', day: 'numeric' });
  return `${day} ${clockTime(ms).slice(0, 5)}`;
}
