import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readZtunnelConfig } from '../../../../src/ztunnel/config.ts';

describe('readZtunnelConfig, about DNS,', () => {
  it('captures on port 15053 and asks the servers of the own resolv.conf by default', () => {
    const { dnsCapture, dnsPort, resolvConfPath } = readZtunnelConfig({});
    assert.deepEqual([dnsCapture, dnsPort, resolvConfPath], [true, 15053, '/etc/resolv.conf']);
    const changed = readZtunnelConfig({
      ISTIO_META_DNS_CAPTURE: 'false',
      ISTIO_META_DNS_PROXY_ADDR: '127.0.0.1:5353',
      AMBIT_RESOLV_CONF: '/tmp/resolv.conf',
    });
    assert.deepEqual([changed.dnsCapture, changed.dnsPort, changed.resolvConfPath], [false, 5353, '/tmp/resolv.conf']);
  });

  it('refuses capture together with a feed on demand', () => {
    assert.throws(() => readZtunnelConfig({ XDS_ON_DEMAND: 'true' }), /ISTIO_META_DNS_CAPTURE=false/);
    assert.equal(readZtunnelConfig({ XDS_ON_DEMAND: 'true', ISTIO_META_DNS_CAPTURE: 'false' }).xdsOnDemand, true);
  });
});
