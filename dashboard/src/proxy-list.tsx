/** The programs of the mesh. */
import type { MeshProxy } from './mesh.ts';

export function ProxyList({ proxies }: { readonly proxies: readonly MeshProxy[] }) {
  return (
    <section class="panel" aria-label="proxies">
      <h2>Programs</h2>
      <table>
        <tbody>
          {proxies.map(({ namespace, name, role, node, ready }) => (
            <tr key={`${namespace}/${name}`}>
              <td class={ready ? 'good' : 'bad'}>{ready ? '●' : '○'}</td>
              <td>{role}</td>
              <td>{`${namespace}/${name}`}</td>
              <td>{node}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
