import assert from 'node:assert/strict';
import { it } from 'node:test';
import { service } from '../../../helpers/manifests.ts';
import { boundService, httpRoute, RouteMesh, toService } from '../../../helpers/routes.ts';

it('routes of a namespace for its own clients take no room from others: past a mebibyte they are answered with 503', () => {
  const own = (namespace: string) => service('own', {}, { namespace });
  const rules = (count: number) =>
    Array.from({ length: count }, (_, rule) => ({
      matches: Array.from({ length: 64 }, (_, match) => ({
        path: { value: `/${rule}/${match}/${'x'.repeat(900)}` },
      })),
      backendRefs: [{ name: 'own', port: 80 }],
    }));
  const parent = toService('web', { namespace: 'demo' });
  const ports = [80, 81].map((port) => ({ name: `p${port}`, port }));
  const mesh = new RouteMesh([
    boundService('web', { ports }),
    own('greedy'),
    own('modest'),
    httpRoute('r', parent, rules(14), { namespace: 'greedy' }),
    httpRoute('r', parent, rules(1), { namespace: 'modest' }),
  ]);
  assert.equal(mesh.names('web', 80, 'greedy').length, 14 * 64);
  const [refused, ...others] = mesh.names('web', 81, 'greedy');
  assert.match(refused ?? '', /^unusable routes: namespace greedy has more than 1048576 bytes/);
  assert.deepEqual([others, mesh.names('web', 81, 'modest').length], [[], 64]);
  const port = mesh.ports('web').find((one) => one.port === 81 && one.clientNamespace === 'greedy');
  assert.deepEqual([port?.hasHttp, port?.hasTcp, port?.tcp], [true, true, []]);
});
