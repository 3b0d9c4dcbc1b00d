import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAgentConfig } from '../../../src/agent/config.ts';

describe('parseAgentConfig', () => {
  it('has the defaults of facts ztunnel-wire', () => {
    assert.deepEqual(parseAgentConfig([], {}), {
      zdsPath: '/var/run/ztunnel/ztunnel.sock',
      socketPath: '/var/run/istio-cni/pluginevent.sock',
      readiness: { address: '0.0.0.0', port: 8000 },
      monitoring: undefined,
      leaveDrainMs: 30_000,
      joinDrainMs: 300_000,
      cluster: undefined,
      ruleBackend: 'auto',
      rules: {
        dnsCapture: true,
        ingressMode: false,
        rerouteVirtualInterfaces: [],
        probeAddressV4: '169.254.7.127',
        probeAddressV6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
        ipv6: true,
      },
    });
  });

  it('prefers flags to the environment', () => {
    const env = {
      ZTUNNEL_UDS_ADDRESS: '/env',
      NATIVE_NFTABLES: 'true',
      AMBIENT_IPV6: 'false',
      READINESS_ADDRESS: '[::1]:0',
    };
    const config = parseAgentConfig(['--ztunnel-uds-address', '/flag'], env);
    assert.equal(config.zdsPath, '/flag');
    assert.equal(config.ruleBackend, 'nft');
    assert.equal(config.rules.ipv6, false);
    assert.deepEqual(config.readiness, { address: '::1', port: 0 });
    assert.equal(parseAgentConfig(['--rule-backend', 'iptables'], env).ruleBackend, 'iptables');
  });

  it('serves a node of a cluster when it is told its name', () => {
    const { cluster, monitoring } = parseAgentConfig([], { NODE_NAME: 'n1', EXCLUDE_NAMESPACES: 'kube-system, other' });
    assert.deepEqual(monitoring, { address: '0.0.0.0', port: 15014 });
    assert.equal(cluster?.nodeName, 'n1');
    assert.deepEqual(cluster?.eligibility.excludedNamespaces, ['kube-system', 'other']);
    assert.deepEqual(
      [cluster?.cniConfDir, cluster?.cniBinDir, cluster?.stateDir, cluster?.procRoot],
      ['/host/etc/cni/net.d', '/host/opt/cni/bin', '/var/lib/ambit', '/proc'],
    );
    assert.equal(parseAgentConfig(['--node-name', 'n2'], {}).cluster?.nodeName, 'n2');
  });

  it('names what is wrong', () => {
    const bad: [string[], Record<string, string>, RegExp][] = [
      [['--unknown', 'x'], {}, /unknown/],
      [['--readiness-address', '8000'], {}, /readiness-address/],
      [['--rule-backend', 'ebpf'], {}, /rule-backend/],
      [[], { AMBIENT_DNS_CAPTURE: 'maybe', AMBIENT_IPV6: '2' }, /AMBIENT_DNS_CAPTURE.*AMBIENT_IPV6/],
      [[], { HOST_PROBE_SNAT_IP: 'fd00::1' }, /HOST_PROBE_SNAT_IP/],
      [[], { HOST_PROBE_SNAT_IPV6: '1 -j ACCEPT' }, /HOST_PROBE_SNAT_IPV6/],
      [['--cni-event-address', '/run/x.sock'], { NODE_NAME: 'n1' }, /pluginevent\.sock/],
      [[], { NODE_NAME: 'n1', AMBIENT_ENABLEMENT_SELECTOR: '- a' }, /not a list in JSON/],
      [[], { NODE_NAME: 'n1', AMBIENT_ENABLEMENT_SELECTOR: '[{"podSelecter":{}}]' }, /podSelecter/],
    ];
    for (const [args, env, message] of bad) {
      assert.throws(() => parseAgentConfig(args, env), { code: 'INVALID_CONFIGURATION', message });
    }
  });
});
