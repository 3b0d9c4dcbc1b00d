/** Whether a call is in mutual TLS: a closed lock, or an open one. */

/** To be placed in an SVG; 9 wide, 11 high. */
export function LockShape({
  closed,
  x = 0,
  y = 0,
}: {
  readonly closed: boolean;
  readonly x?: number;
  readonly y?: number;
}) {
  return (
    <g class={closed ? 'lock' : 'lock open'} transform={`translate(${x} ${y})`}>
      <path d={closed ? 'M2 5V3a2.5 2.5 0 0 1 5 0v2' : 'M2 5V3a2.5 2.5 0 0 1 5-1'} class="shackle" />
      <rect y="5" width="9" height="6" rx="1.2" />
    </g>
  );
}

/** In a line of text. */
export function Lock({ closed }: { readonly closed: boolean }) {
  return (
    <svg class="inline-lock" viewBox="-1 -1 11 13" role="img" aria-label={closed ? 'mutual TLS' : 'no mutual TLS'}>
      <LockShape closed={closed} />
    </svg>
  );
}
