/** What stands where an answer is not there, or says little. */
import type { ComponentChildren } from 'preact';

export function Waiting({ failure }: { readonly failure: string }) {
  if (failure === '') return <p class="empty">asking the mesh…</p>;
  return (
    <p class="empty" role="alert">
      {failure}
    </p>
  );
}

/** @param tone how it is meant */
export function Badge({
  tone,
  children,
}: {
  readonly tone: 'good' | 'poor' | 'bad' | 'plain';
  readonly children: ComponentChildren;
}) {
  return <span class={`badge ${tone}`}>{children}</span>;
}
