/** The numbers of now, large. */
import type { ComponentChildren } from 'preact';
import { bytesPerSecond, milliseconds, percent, perSecond } from './format.ts';
import { healthOf } from './health.ts';
import type { Rates } from './mesh.ts';

export function RatesLine({ rates }: { readonly rates: Rates | undefined }) {
  if (rates === undefined) return <p class="hint">nothing came in during the last seconds</p>;
  const isHttp = rates.requestsPerSec > 0;
  return (
    <dl class={`numbers ${healthOf([rates])}`}>
      {isHttp ? (
        <>
          <Figure name="requests">{perSecond(rates.requestsPerSec)}</Figure>
          <Figure name="success">{percent(rates.successShare)}</Figure>
          {rates.deniedPerSec > 0 && <Figure name="denied">{perSecond(rates.deniedPerSec)}</Figure>}
          <Figure name="p50">{milliseconds(rates.p50Ms)}</Figure>
          <Figure name="p95">{milliseconds(rates.p95Ms)}</Figure>
          <Figure name="p99">{milliseconds(rates.p99Ms)}</Figure>
          <Figure name="answers">
            {Object.entries(rates.codesPerSec)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([code, value]) => `${code === '0' ? 'none' : code} ${perSecond(value)}`)
              .join(', ')}
          </Figure>
        </>
      ) : (
        <>
          <Figure name="connections">{perSecond(rates.openedPerSec)}</Figure>
          <Figure name="failed">{perSecond(rates.failedPerSec)}</Figure>
          {rates.deniedPerSec > 0 && <Figure name="denied">{perSecond(rates.deniedPerSec)}</Figure>}
          <Figure name="open">{String(rates.open)}</Figure>
          <Figure name="bytes">{bytesPerSecond(rates.receivedBytesPerSec + rates.sentBytesPerSec)}</Figure>
        </>
      )}
    </dl>
  );
}

function Figure({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
