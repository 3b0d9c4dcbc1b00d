import assert from 'node:assert/strict';
import { it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { readZtunnelConfig } from '../../../../src/ztunnel/config.ts';
import { createDnsNetwork } from '../../../../src/ztunnel/data/dns-network.ts';
import { createPodNetwork } from '../../../../src/ztunnel/data/pod-network.ts';

const LOOPBACK = { address: '127.0.0.1', port: 0 };

it('a network that was closed opens nothing more, and neither does the DNS network beside it', async () => {
  const config = readZtunnelConfig({
    FAKE_CA: 'true',
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: 'a/b/c',
    ENABLE_ORIG_SRC: 'false',
  });
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random };
  const network = createPodNetwork(config, undefined, deps);
  const dns = createDnsNetwork(config, undefined, { ...deps, isClosed: () => network.isClosed });
  const listener = await network.listen('socks5', 0, (connection) => connection.reject());
  const address = { address: '127.0.0.1', port: listener.endpoint.port };
  const dialled = await network.dial(address);
  assert.ok(dialled.ok);
  dialled.value.destroy();
  (await dns.listenTcp(LOOPBACK, (connection) => connection.reject())).close();
  (await dns.listenUdp(LOOPBACK)).close();
  (await dns.connectUdp(address)).close();

  network.close();
  const refused = await network.dial(address);
  assert.equal(refused.ok ? '' : refused.error.code, 'DRAINED');
  for (const kind of ['socks5', 'inbound-tunnel'] as const) {
    await assert.rejects(
      network.listen(kind, 0, () => undefined),
      { code: 'LISTEN_FAILED' },
    );
  }
  const aborted = { code: 'CONNECT_ABORTED' };
  await assert.rejects(
    dns.listenTcp(LOOPBACK, () => undefined),
    aborted,
  );
  await assert.rejects(dns.listenUdp(LOOPBACK), aborted);
  await assert.rejects(dns.connectUdp(address), aborted);
  await assert.rejects(dns.connectTcp(address, 1000), aborted);
  listener.close();
});
