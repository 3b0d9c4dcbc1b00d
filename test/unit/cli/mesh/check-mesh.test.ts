import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { checkMesh } from '../../../../src/cli/mesh/check-mesh.ts';
import type { MeshProxy } from '../../../../src/model/mesh-proxy.ts';

const program = (role: MeshProxy['role'], name: string): MeshProxy => {
  return { role, namespace: 'istio-system', name, node: '', ip: '', ready: true };
};

describe('ambit check', () => {
  it('does not call the configuration of proxies well when no control plane answers', async () => {
    const server = createServer((_, response) => {
      response.end(JSON.stringify({ version: '1', connections: 0, certificates: [] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const access = {
      where: 'here',
      controlPort: 15014,
      proxies: async () => [program('control', 'control'), program('ztunnel', 'ztunnel-node1')],
      open: async ({ role }: MeshProxy) => {
        if (role === 'control') throw new Error('nothing listens');
        return connect((server.address() as AddressInfo).port, '127.0.0.1');
      },
      logOf: async () => '',
      close: () => undefined,
    };
    const findings = await checkMesh(access, 0);
    server.close();
    assert.deepEqual(
      findings.filter(({ group }) => group === 'Configuration of proxies').map(({ level, text }) => [level, text]),
      [['warning', 'whether istio-system/ztunnel-node1 has its configuration is not known']],
    );
  });
});
