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
  return `${value === 100 ? '100' : value.toFixed(value > 99 ? 2 : 1)} %`;
}

/** `namespace/account`; the whole of it where it has another form. */
export function identity(principal: string): string {
  if (principal === '') return 'nobody';
  return principal.replace(/^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//, '$1/');
}
