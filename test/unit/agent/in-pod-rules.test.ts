import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type InPodRuleOptions, inPodRules } from '../../../src/agent/in-pod-rules.ts';
import { replacementText } from '../../../src/agent/iptables-save.ts';

const OPTIONS: InPodRuleOptions = {
  dnsCapture: true,
  ingressMode: false,
  rerouteVirtualInterfaces: [],
  probeAddressV4: '169.254.7.127',
  probeAddressV6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
  ipv6: true,
};
const text = (options: Partial<InPodRuleOptions> = {}, family: 4 | 6 = 4) =>
  replacementText(new Map(), inPodRules({ ...OPTIONS, ...options }, family));

describe('in-pod rules', () => {
  it('are those of facts ztunnel-wire 2.1, in order', () => {
    assert.equal(
      text(),
      `*mangle
:ISTIO_PRERT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A PREROUTING -j ISTIO_PRERT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
-A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
COMMIT
*nat
:ISTIO_PRERT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A PREROUTING -j ISTIO_PRERT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_PRERT -s 169.254.7.127/32 -p tcp -j ACCEPT
-A ISTIO_PRERT ! -d 127.0.0.1/32 -p tcp -m tcp ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006
-A ISTIO_OUTPUT -d 169.254.7.127/32 -p tcp -j ACCEPT
-A ISTIO_OUTPUT ! -o lo -p udp -m udp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m tcp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053
-A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -j ACCEPT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
COMMIT
*raw
:ISTIO_PRERT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A PREROUTING -j ISTIO_PRERT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_PRERT -p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1
-A ISTIO_OUTPUT -p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1
COMMIT
`,
    );
  });

  it('spare connections that are open already, where a pod is taken in while it runs', () => {
    const spare = '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT';
    const nat = inPodRules({ ...OPTIONS, capture: 'new-connections' }, 4).find(({ table }) => table === 'nat');
    const chains = new Map(nat?.chains.map(({ chain, rules }) => [chain, rules]));
    assert.equal(chains.get('ISTIO_PRERT')?.[0], spare);
    assert.equal(chains.get('ISTIO_OUTPUT')?.[0], spare);
    assert.equal(text({ capture: 'new-connections' }).split('\n').length, text().split('\n').length + 2);
  });

  it('redirect nothing, and keep the way back of open connections, where a pod leaves while it runs', () => {
    assert.doesNotMatch(text({ capture: 'none' }), /REDIRECT/);
    assert.match(text({ capture: 'none' }), /CONNMARK --restore-mark/);
    assert.match(text({ capture: 'none' }), /-A ISTIO_OUTPUT -p udp -m udp --dport 53 -j CT --zone 1/);
  });

  it('use the IPv6 loopback and probe address for IPv6', () => {
    assert.equal(
      text({}, 6),
      text().replaceAll('127.0.0.1/32', '::1/128').replaceAll('169.254.7.127/32', `${OPTIONS.probeAddressV6}/128`),
    );
  });

  it('leave DNS and the raw table alone without DNS capture', () => {
    assert.ok(!/raw|15053/.test(text({ dnsCapture: false })));
  });

  it('leave inbound plaintext alone in ingress mode', () => {
    const prerouting = text({ ingressMode: true }).match(/^-A ISTIO_PRERT .*(ACCEPT|REDIRECT).*/gm);
    assert.equal(prerouting, null);
    assert.match(text({ ingressMode: true }), /-A ISTIO_OUTPUT -d 169\.254\.7\.127/);
  });

  it('treat connections from virtual interfaces as outbound, before anything else', () => {
    const nat = text({ rerouteVirtualInterfaces: ['br0', 'tap1'] }).match(/^-A ISTIO_PRERT .*-p tcp.*/gm) ?? [];
    assert.deepEqual(nat.slice(0, 4), [
      '-A ISTIO_PRERT -i br0 -p tcp -j REDIRECT --to-ports 15001',
      '-A ISTIO_PRERT -i br0 -p tcp -j RETURN',
      '-A ISTIO_PRERT -i tap1 -p tcp -j REDIRECT --to-ports 15001',
      '-A ISTIO_PRERT -i tap1 -p tcp -j RETURN',
    ]);
  });
});
