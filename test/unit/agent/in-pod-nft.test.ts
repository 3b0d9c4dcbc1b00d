import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inPodNftRules, nftScript } from '../../../src/agent/in-pod-nft.ts';
import type { InPodRuleOptions } from '../../../src/agent/in-pod-rules.ts';

const OPTIONS: InPodRuleOptions = {
  dnsCapture: true,
  ingressMode: false,
  rerouteVirtualInterfaces: ['br0'],
  probeAddressV4: '169.254.7.127',
  probeAddressV6: 'fd16::1',
  ipv6: true,
};

describe('in-pod nftables rules', () => {
  it('replace whatever the three tables held in one transaction', () => {
    const script = nftScript(OPTIONS);
    for (const table of ['istio-ambient-nat', 'istio-ambient-mangle', 'istio-ambient-raw']) {
      assert.match(
        script,
        new RegExp(`add table inet ${table}\ndelete table inet ${table}\n[^]*table inet ${table} \\{`),
      );
    }
    assert.match(script, /type route hook output priority -150/);
    assert.match(script, /type nat hook prerouting priority -100/);
    assert.match(script, /type filter hook output priority -300/);
  });

  it('name no IPv6 address without IPv6, and no DNS without DNS capture', () => {
    assert.ok(!/ip6|fd16/.test(nftScript({ ...OPTIONS, ipv6: false })));
    const script = nftScript({ ...OPTIONS, dnsCapture: false });
    assert.ok(!/15053|zone/.test(script));
    assert.match(script, /delete table inet istio-ambient-raw/);
  });

  it('leave inbound plaintext alone in ingress mode', () => {
    const nat = inPodNftRules({ ...OPTIONS, ingressMode: true, rerouteVirtualInterfaces: [] }).get('istio-ambient-nat');
    assert.deepEqual(nat?.prerouting, []);
  });
});
