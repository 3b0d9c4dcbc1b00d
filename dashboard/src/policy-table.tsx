/** The policies in force for something. */
import { HitsText } from './hits-text.tsx';
import type { CountedPolicyInForce } from './mesh.ts';
import { pageOf } from './route.ts';
import { Badge } from './states.tsx';

export function PolicyTable({ policies }: { readonly policies: readonly CountedPolicyInForce[] }) {
  return (
    <section class="panel" aria-label="policies">
      <h2>Policies in force</h2>
      {policies.length === 0 ? (
        <p class="hint">None: everybody may call.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th>policy</th>
              <th>action</th>
              <th>asked by</th>
              <th>hits</th>
            </tr>
          </thead>
          <tbody>
            {policies.map(({ id, kind, action, dryRun, where, hits }) => (
              <tr key={`${where} ${kind} ${id}`}>
                <td class="text">
                  <a href={pageOf('policies', id.split('/')[0])}>{id}</a> <small>{kind}</small>
                </td>
                <td>
                  <Badge tone={action === 'DENY' ? 'bad' : 'plain'}>{action}</Badge>
                  {dryRun && <small> dry run</small>}
                </td>
                <td>{where}</td>
                <td>
                  <HitsText hits={hits} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
