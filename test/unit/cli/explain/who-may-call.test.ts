import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { folderResources } from '../../../../src/cli/explain/folder-resources.ts';
import { whoMayCall } from '../../../../src/cli/explain/who-may-call.ts';
import type { Permission, Permissions } from '../../../../src/dashboard/permissions.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const meta = (name: string) => ({ name, namespace: 'shop' });
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...meta(name), labels: { app: name } },
  spec: { serviceAccountName: name, containers: [{ name: 'main', image: 'none', command: ['sleep'] }] },
});
const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name),
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});
const policy = (name: string, spec: object) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: meta(name),
  spec,
});
const from = (name: string) => [{ source: { principals: [`cluster.local/ns/shop/sa/${name}`] } }];
const targetRefs = (name: string) => [{ group: '', kind: 'Service', name }];

describe('who may call whom', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-may-'));
  let permissions: Permissions;

  before(async () => {
    const labels = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' };
    const objects = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: meta('gate'),
        spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
      },
      ...['web', 'app', 'cart', 'bank'].map(pod),
      ...['cart', 'bank', 'app'].map(service),
      // The web may only read the cart; the app may do all with it but delete.
      policy('cart', {
        targetRefs: targetRefs('cart'),
        rules: [{ from: from('web'), to: [{ operation: { methods: ['GET'] } }] }, { from: from('app') }],
      }),
      policy('cart-stays', {
        targetRefs: targetRefs('cart'),
        action: 'DENY',
        rules: [{ to: [{ operation: { methods: ['DELETE'] } }] }],
      }),
      // At L4: connections to the bank come from its waypoint, and from nobody else.
      policy('bank', { selector: { matchLabels: { app: 'bank' } }, rules: [{ from: from('gate') }] }),
      policy('bank-door', { targetRefs: targetRefs('bank'), action: 'DENY', rules: [{ from: from('web') }] }),
    ];
    writeFileSync(join(folder, 'mesh.yaml'), objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''));
    const { resources } = await folderResources(folder);
    permissions = await whoMayCall(resources, new Set(['shop']), { clock: new ManualClock(), random: seededRandom() });
  });
  after(() => rmSync(folder, { recursive: true }));

  const may = (client: string, destination: string): Permission | undefined =>
    permissions.destinations.find(({ id }) => id === `shop/${destination}`)?.callers[client];

  it('is everybody where no policy says otherwise', () => {
    for (const { id } of permissions.clients) assert.equal(may(id, 'app'), 'all', id);
  });

  it('depends on the request where a rule asks for more than who calls', () => {
    assert.equal(may('shop/web', 'cart'), 'some');
    assert.equal(may('shop/app', 'cart'), 'some', 'some of its requests are denied');
    assert.equal(may('shop/bank', 'cart'), 'none');
  });

  it('is decided at the waypoint and at the node of the endpoint, each by its own policies', () => {
    assert.equal(may('shop/web', 'bank'), 'none');
    assert.equal(may('shop/app', 'bank'), 'all', 'through the waypoint, which the node lets in');
    assert.equal(may('outside', 'bank'), 'none');
  });

  it('shows that clients outside the mesh pass by the waypoint and its policies', () => {
    assert.equal(may('outside', 'cart'), 'all');
  });

  it('is told of services of the wanted namespaces only', async () => {
    const { resources } = await folderResources(folder);
    const none = await whoMayCall(resources, new Set(['other']), { clock: new ManualClock(), random: seededRandom() });
    assert.deepEqual(none.destinations, []);
  });
});
