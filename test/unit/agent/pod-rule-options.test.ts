import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InPodRuleOptions } from '../../../src/agent/in-pod-rules.ts';
import { podRuleOptions } from '../../../src/agent/pod-rule-options.ts';
import { silentLogger } from '../../../src/base/logger.ts';

const DEFAULTS: InPodRuleOptions = {
  dnsCapture: true,
  ingressMode: false,
  rerouteVirtualInterfaces: [],
  probeAddressV4: '169.254.7.127',
  probeAddressV6: 'fd16::1',
  ipv6: true,
};
const optionsOf = (annotations: Record<string, string>) => {
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const pod = { uid: 'u', name: 'n', namespace: 'ns', serviceAccount: 's', netns: '/x', ips: [], annotations };
  return { options: podRuleOptions(DEFAULTS, pod, log), warnings };
};

describe('podRuleOptions', () => {
  it('keeps the defaults of the node without annotations', () => {
    assert.deepEqual(optionsOf({}), { options: DEFAULTS, warnings: [] });
  });

  it('reads booleans as Go does', () => {
    const { options } = optionsOf({
      'ambient.istio.io/dns-capture': 'F',
      'ambient.istio.io/bypass-inbound-capture': '1',
    });
    assert.equal(options.dnsCapture, false);
    assert.equal(options.ingressMode, true);
  });

  it('ignores what makes no sense, with a warning', () => {
    const { options, warnings } = optionsOf({
      'ambient.istio.io/dns-capture': 'no',
      'istio.io/reroute-virtual-interfaces': 'br0, tap1,-j ACCEPT,x\n-A OUTPUT,averyverylongname',
    });
    assert.equal(options.dnsCapture, true);
    assert.deepEqual(options.rerouteVirtualInterfaces, ['br0', 'tap1']);
    assert.equal(warnings.length, 2);
  });
});
