import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { checkMesh } from '../../../../src/cli/mesh/check-mesh.ts';
import type { MeshAgent } from '../../../../src/model/mesh-agent.ts';
import type { MeshProxy } from '../../../../src/model/mesh-proxy.ts';

const program = (role: MeshProxy['role'], name: string): MeshProxy => {
  return { role, namespace: 'istio-system', name, node: '', ip: '', ready: true };
};

/** What it says of agents, of a mesh whose one ztunnel is on node1. */
async function ofAgents(...agents: readonly MeshAgent[]): Promise<readonly (readonly [string, string])[]> {
  const access = {
    where: 'here',
    controlPort: 15014,
    proxies: async () => [],
    agents: async () => agents,
    open: () => Promise.reject(new Error('there is none')),
    logOf: async () => '',
    close: () => undefined,
  };
  const findings = await checkMesh(access, NOW_MS);
  return findings.filter(({ text }) => text.includes('agent')).map(({ level, text }) => [level, text]);
}

const NOW_MS = 1_000_000_000;
const AGENT: MeshAgent = {
  namespace: 'istio-system',
  name: 'agent-1',
  node: 'node1',
  ready: true,
  restarts: 0,
  lastExit: '',
};

describe('ambit check', () => {
  it('names an agent that is not ready, and one that ended lately', async () => {
    assert.deepEqual(await ofAgents(AGENT), []);
    assert.deepEqual(await ofAgents({ ...AGENT, ready: false }), [['error', 'istio-system/agent-1 is not ready']]);
    const crashed = { ...AGENT, restarts: 3, lastExit: 'status 1' };
    assert.deepEqual(await ofAgents({ ...crashed, lastExitMs: NOW_MS - 12_000 }), [
      ['warning', 'istio-system/agent-1 was started again 3 times; it ended 12s ago with status 1'],
    ]);
    assert.deepEqual(await ofAgents({ ...crashed, lastExitMs: NOW_MS - 7_200_000 }), []);
  });

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
      agents: async () => [],
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
