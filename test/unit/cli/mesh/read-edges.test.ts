import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { MeshAccess } from '../../../../src/cli/mesh/mesh-access.ts';
import { readEdges } from '../../../../src/cli/mesh/read-edges.ts';
import type { MeshProxy } from '../../../../src/model/mesh-proxy.ts';
import { LabelCache } from '../../../../src/traffic/parse-exposition.ts';

type Scrape = string | (() => Iterable<string>);

const OPENED = 'istio_tcp_connections_opened_total';

function call(reporter: string, from: string, to: string, service: string): string {
  const labels = {
    reporter,
    source_workload: 'client',
    source_workload_namespace: from,
    destination_workload: 'server',
    destination_workload_namespace: to,
    destination_service: service === '' ? '' : `cart.${service}.svc.cluster.local`,
    destination_service_namespace: service,
  };
  const text = Object.entries(labels).map(([name, value]) => `${name}="${value || 'unknown'}"`);
  return `${OPENED}{${text.join(',')}} 1\n`;
}

describe('the traffic of all proxies', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  const meshOf = async (scrapes: readonly (readonly [MeshProxy['role'], string, Scrape])[]): Promise<MeshAccess> => {
    const ports = new Map<MeshProxy, number>();
    for (const [role, namespace, scrape] of scrapes) {
      const server = createServer((_, response) => {
        for (const part of typeof scrape === 'string' ? [scrape] : scrape()) response.write(part);
        response.end();
      }).listen(0, '127.0.0.1');
      servers.push(server);
      await once(server, 'listening');
      const proxy = { role, namespace, name: `p${ports.size}`, node: '', ip: '', ready: true };
      ports.set(proxy, (server.address() as AddressInfo).port);
    }
    return {
      where: '',
      controlPort: 0,
      proxies: async () => [...ports.keys()],
      open: async (proxy) => {
        const socket = connect(ports.get(proxy) ?? 0, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      },
      agents: async () => [],
      logOf: async () => '',
      close: () => undefined,
    };
  };
  const waysOf = async (access: MeshAccess) => {
    const { edges } = await readEdges(access, new LabelCache());
    return [...edges.values()].map(({ edge }) => `${edge.reporter} ${edge.source.namespace}>${edge.service.namespace}`);
  };

  it('is what ztunnels count, and what waypoints count of calls of their own namespace', async () => {
    const access = await meshOf([
      ['waypoint', 'shop', call('waypoint', 'web', 'shop', 'shop')],
      ['ztunnel', 'istio-system', call('source', 'web', 'bank', 'bank')],
    ]);
    assert.deepEqual(await waysOf(access), ['source web>bank', 'waypoint web>shop']);
  });

  it('is not what a pod makes up that calls itself a waypoint', async () => {
    const forged =
      call('waypoint', 'web', 'bank', 'bank') +
      call('source', 'evil', 'evil', 'evil') +
      call('destination', 'web', 'bank', 'evil') +
      call('waypoint', 'web', 'bank', 'evil') +
      call('waypoint', 'web', '', '');
    assert.deepEqual(await waysOf(await meshOf([['waypoint', 'evil', forged]])), []);
  });

  it('is what a waypoint counts of another namespace, when ztunnels send the calls for it there', async () => {
    const access = await meshOf([
      ['ztunnel', 'istio-system', call('source', 'web', 'gateways', 'bank')],
      ['waypoint', 'gateways', call('waypoint', 'web', 'bank', 'bank')],
    ]);
    assert.deepEqual(await waysOf(access), ['source web>bank', 'waypoint web>bank']);
  });

  it('has decisions of policies that a waypoint asks, and none of others', async () => {
    const hit = (policy: string) => `ambit_authorization_decisions_total{policy="${policy}",result="denied"} 1\n`;
    const { policies } = await readEdges(
      await meshOf([
        ['ztunnel', 'istio-system', hit('bank/own')],
        ['waypoint', 'shop', hit('bank/own') + hit('shop/own') + hit('istio-system/all') + hit('')],
      ]),
      new LabelCache(),
    );
    assert.deepEqual(
      [...policies].map(([policy, results]) => [policy, results.get('denied')]),
      [
        ['bank/own', 1],
        ['shop/own', 1],
        ['istio-system/all', 1],
        ['', 1],
      ],
    );
  });

  it('is bounded: a waypoint adds so many edges, and what is endless is not read to its end', async () => {
    function* many() {
      for (let n = 0; n < 5000; n++) yield call('waypoint', `client-${n}`, 'evil', 'evil');
    }
    function* endless() {
      const part = '#'.repeat(1024 * 1024);
      for (let n = 0; n < 40; n++) yield part;
    }
    const access = await meshOf([
      ['waypoint', 'evil', many],
      ['waypoint', 'evil', endless],
    ]);
    const { edges, missing } = await readEdges(access, new LabelCache());
    assert.equal(edges.size, 2000);
    assert.match(missing.join(), /longer than 33554432 bytes/);
  });
});
