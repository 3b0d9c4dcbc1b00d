import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { AmbitError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { parseIpAddress } from '../../../../src/model/address.ts';
import { createService } from '../../../../src/model/service.ts';
import { createWorkload } from '../../../../src/model/workload.ts';
import { dialTcp } from '../../../../src/net/tcp-dialer.ts';
import { bindUdp } from '../../../../src/net/udp-socket.ts';
import type { ZtunnelConfig } from '../../../../src/ztunnel/config.ts';
import { DnsMetrics } from '../../../../src/ztunnel/data/dns-metrics.ts';
import { createDnsNetwork, type DnsNetwork } from '../../../../src/ztunnel/data/dns-network.ts';
import { DnsProxy } from '../../../../src/ztunnel/data/dns-proxy.ts';
import type { PodContext } from '../../../../src/ztunnel/data/pod-context.ts';
import { askTcp, askUdp, queryBytes } from '../../../helpers/dns-query.ts';
import { eventually } from '../../../helpers/eventually.ts';

const POD = createWorkload({ uid: 'pod', namespace: 'ns' });

/** A proxy in the own network namespace, with the parts of its network that a test replaces. */
function createProxy(options: { port?: number; network?: Partial<DnsNetwork>; server?: string } = {}): DnsProxy {
  const { port = 0, network = {}, server = '127.0.0.1' } = options;
  const state = new MeshState();
  const address = parseIpAddress('10.0.0.1') ?? assert.fail();
  const service = createService({ namespace: 'ns', hostname: 'a.example', vips: [{ network: '', address }] });
  state.apply([{ kind: 'service', service }]);
  const config = {
    dnsPort: port,
    ipv6Enabled: true,
    clusterDomain: 'cluster.local',
    packetMark: undefined,
    reusePort: true,
  } as unknown as ZtunnelConfig;
  const deps = { clock: systemClock, logger: silentLogger };
  return new DnsProxy({
    config,
    state,
    clock: systemClock,
    random: Math.random,
    local: { current: () => POD },
    dns: {
      logger: silentLogger,
      metrics: new DnsMetrics(),
      nameservers: { current: () => [parseIpAddress(server) ?? assert.fail()] },
      randomId: () => 7,
    },
    dnsNetwork: { ...createDnsNetwork(config, undefined, deps), ...network },
  } as unknown as PodContext);
}

describe('DnsProxy', () => {
  it('serves both protocols on both loopback addresses under one port', async () => {
    const proxy = createProxy();
    const port = await proxy.start();
    for (const address of ['127.0.0.1', '::1']) {
      assert.deepEqual((await askUdp({ address, port }, queryBytes('a.example'))).addresses, ['10.0.0.1']);
      const answers = await askTcp({ address, port }, queryBytes('a.example'), queryBytes('a.example'));
      assert.deepEqual(
        answers.map(({ addresses }) => addresses),
        [['10.0.0.1'], ['10.0.0.1']],
      );
    }
    proxy.stop();
    await assert.rejects(askTcp({ address: '127.0.0.1', port }, queryBytes('a.example')));
  });

  it('names the port that is taken and leaves nothing open', async () => {
    // Below the range from which other tests get their ports: those may take the same number on another address.
    const port = 20_000 + Math.floor(Math.random() * 8000);
    const squatter = await bindUdp({ endpoint: { address: '::1', port } });
    const proxy = createProxy({ port });
    const message = new RegExp(`cannot listen for DNS on \\[::1\\]:${port}: .*another (socket|process)`);
    await assert.rejects(proxy.start(), (error: AmbitError) => {
      assert.equal(error.code, 'LISTEN_FAILED');
      return message.test(error.message);
    });
    squatter.close();
    await once(squatter, 'close');
    const again = createProxy({ port });
    assert.equal(await again.start(), port);
    again.stop();
  });

  it('goes without IPv6 only where there is none', async () => {
    const plain = createDnsNetwork({} as ZtunnelConfig, undefined, { clock: systemClock, logger: silentLogger });
    const failing = (code: string): Partial<DnsNetwork> => ({
      listenTcp: async (endpoint, accept) => {
        if (endpoint.address === '::1') throw new AmbitError(code, 'no ::1 here');
        return plain.listenTcp(endpoint, accept);
      },
    });
    const lone = createProxy({ network: failing('NATIVE_ADDRESS_UNAVAILABLE') });
    const port = await lone.start();
    assert.deepEqual((await askUdp({ address: '127.0.0.1', port }, queryBytes('a.example'))).addresses, ['10.0.0.1']);
    lone.stop();
    await assert.rejects(createProxy({ network: failing('NATIVE_PERMISSION') }).start(), /no ::1 here/);
  });

  it('still delivers what it owes when it drains, and ends everything when it stops', async () => {
    const upstream: { release?: (error: Error) => void } = {};
    const connectUdp = () => new Promise<never>((_resolve, reject) => (upstream.release = reject));
    const proxy = createProxy({ network: { connectUdp } });
    const port = await proxy.start();
    const target = { address: '127.0.0.1', port };
    const pending = askUdp(target, queryBytes('unknown.example'));
    await eventually('the query is forwarded', () => upstream.release !== undefined);
    proxy.drain();
    await assert.rejects(askTcp(target, queryBytes('a.example')));
    // Both tries of the single server fail.
    upstream.release?.(new Error('gone'));
    await new Promise((resolve) => setImmediate(resolve));
    upstream.release?.(new Error('gone'));
    assert.equal((await pending).rcode, 2);
    const next = await bindUdp({ endpoint: target });
    next.close();
    proxy.stop();
  });

  it('ends open TCP connections when it stops', async () => {
    const proxy = createProxy();
    const port = await proxy.start();
    const socket = await dialTcp({ destination: { address: '127.0.0.1', port } });
    socket.on('error', () => undefined);
    socket.resume();
    await askTcp({ address: '127.0.0.1', port }, queryBytes('a.example'));
    const closed = once(socket, 'close');
    socket.on('end', () => socket.destroy());
    proxy.stop();
    await closed;
  });
});
