/** Calls in a table: who, how often, how well, under which identity. */
import { bytesPerSecond, identity, milliseconds, percent, perSecond } from './format.ts';
import { byWorth, healthOf } from './health.ts';
import { Lock } from './lock.tsx';
import type { GraphEdge } from './mesh.ts';
import { pageOf } from './route.ts';

interface Props {
  readonly title: string;
  readonly edges: readonly GraphEdge[];
  /** Whose end is named. */
  readonly peer: 'from' | 'to' | 'both';
  readonly empty: string;
}

export function Calls({ title, edges, peer, empty }: Props) {
  return (
    <>
      <h3>{title}</h3>
      {edges.length === 0 ? (
        <p class="hint">{empty}</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>{peer === 'both' ? 'call' : 'peer'}</th>
                <th>rate</th>
                <th>success</th>
                <th class="spare">p50</th>
                <th>p99</th>
                {peer !== 'both' && <th>identity</th>}
              </tr>
            </thead>
            <tbody>
              {[...edges].sort(byWorth).map((edge) => (
                <Call key={edge.id} edge={edge} peer={peer} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Call({ edge, peer }: { readonly edge: GraphEdge; readonly peer: Props['peer'] }) {
  const principal = peer === 'to' ? edge.server : edge.client;
  const lock = <Lock closed={edge.mutualTls} />;
  const isTcp = edge.protocol === 'tcp';
  return (
    <tr class={healthOf([edge])}>
      <td class="text">
        {peer === 'both' && lock} {peer !== 'to' && <Peer id={edge.from} />}
        {peer === 'both' && ' → '}
        {peer !== 'from' && <Peer id={edge.to} />}{' '}
        <small>
          {edge.protocol}
          {peer === 'to' && edge.service !== '' && ` as ${edge.service}`}
        </small>
      </td>
      <td>{isTcp ? `${perSecond(edge.openedPerSec)} conn` : perSecond(edge.requestsPerSec)}</td>
      <td class="success">{outcomeOf(edge)}</td>
      <td class="spare">{milliseconds(edge.p50Ms)}</td>
      <td>{milliseconds(edge.p99Ms)}</td>
      {peer !== 'both' && (
        <td class="text" title={principal}>
          {lock} {identity(principal)}
        </td>
      )}
    </tr>
  );
}

/** How calls went: those that were refused are said first. */
function outcomeOf({ protocol, deniedPerSec, failedPerSec, bytesPerSec, successShare }: GraphEdge): string {
  if (protocol !== 'tcp') {
    const denied = deniedPerSec > 0 ? `${perSecond(deniedPerSec)} denied` : '';
    return denied === '' || successShare !== undefined ? [percent(successShare), denied].join(' ').trim() : denied;
  }
  if (deniedPerSec > 0) return `${perSecond(deniedPerSec)} denied`;
  return failedPerSec > 0 ? `${perSecond(failedPerSec)} failed` : bytesPerSecond(bytesPerSec);
}

/** A workload by its name, and its page. */
export function Peer({ id }: { readonly id: string }) {
  const [namespace, name] = id.split('/');
  return (
    <a href={pageOf('workload', id)} title={id}>
      {name}
      <small>.{namespace || 'outside'}</small>
    </a>
  );
}
