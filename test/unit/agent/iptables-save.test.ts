import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type InPodRuleOptions, inPodRules } from '../../../src/agent/in-pod-rules.ts';
import {
  compareRules,
  parseSavedRules,
  removalText,
  replacementText,
  rulesFound,
} from '../../../src/agent/iptables-save.ts';

const options = fc.tuple(fc.boolean(), fc.boolean(), fc.uniqueArray(fc.constantFrom('br0', 'tap1', 'docker0'))).map(
  ([dnsCapture, ingressMode, rerouteVirtualInterfaces]): InPodRuleOptions => ({
    dnsCapture,
    ingressMode,
    rerouteVirtualInterfaces,
    probeAddressV4: '169.254.7.127',
    probeAddressV6: 'fd16::1',
    ipv6: true,
  }),
);
const FOREIGN =
  '*nat\n:PREROUTING ACCEPT [1:60]\n:DOCKER - [0:0]\n-A OUTPUT -p tcp -j DOCKER\n-A DOCKER -j ACCEPT\nCOMMIT\n';

describe('iptables-save output', () => {
  it('compares as the same with what was written', () => {
    fc.assert(
      fc.property(options, fc.constantFrom(4 as const, 6 as const), (wanted, family) => {
        const rules = inPodRules(wanted, family);
        assert.deepEqual(compareRules(parseSavedRules(replacementText(new Map(), rules)), rules), { kind: 'same' });
      }),
    );
  });

  it('compares as different when the options differ', () => {
    fc.assert(
      fc.property(options, options, (one, other) => {
        fc.pre(replacementText(new Map(), inPodRules(one, 4)) !== replacementText(new Map(), inPodRules(other, 4)));
        const saved = parseSavedRules(replacementText(new Map(), inPodRules(one, 4)));
        assert.equal(compareRules(saved, inPodRules(other, 4)).kind, 'different');
      }),
    );
  });

  it('compares as the same when a version of iptables orders words differently', () => {
    const rules = inPodRules({ ...SIMPLE, ingressMode: true }, 4);
    const respelled = replacementText(new Map(), rules)
      .replaceAll(/! -d (\S+) -o lo/g, '-o lo ! -d $1')
      .replaceAll(' -m udp', '');
    assert.equal(compareRules(parseSavedRules(respelled), rules).kind, 'same');
  });

  it('is absent when only others have rules', () => {
    const saved = parseSavedRules(FOREIGN);
    assert.equal(compareRules(saved, inPodRules(SIMPLE, 4)).kind, 'absent');
    assert.equal(removalText(saved), '');
  });

  it('is removed without touching the rules of others, duplicate jumps included', () => {
    const saved = parseSavedRules(
      `${FOREIGN.replace('COMMIT\n', '')}:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -j ISTIO_OUTPUT\n-A OUTPUT -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -o lo -j ACCEPT\nCOMMIT\n`,
    );
    assert.equal(
      removalText(saved),
      '*nat\n-D OUTPUT -j ISTIO_OUTPUT\n-D OUTPUT -j ISTIO_OUTPUT\n-F ISTIO_OUTPUT\n-X ISTIO_OUTPUT\nCOMMIT\n',
    );
  });

  it('is replaced in one step per table, and tables no longer wanted are cleared', () => {
    const before = parseSavedRules(replacementText(new Map(), inPodRules({ ...SIMPLE, dnsCapture: true }, 4)));
    const text = replacementText(before, inPodRules(SIMPLE, 4));
    assert.match(
      text,
      /\*nat\n:ISTIO_PRERT - \[0:0\]\n:ISTIO_OUTPUT - \[0:0\]\n-D PREROUTING -j ISTIO_PRERT\n-D OUTPUT/,
    );
    assert.match(
      text,
      /\*raw\n-D PREROUTING -j ISTIO_PRERT\n-D OUTPUT -j ISTIO_OUTPUT\n-F .*\n-F .*\n-X .*\n-X .*\nCOMMIT\n$/,
    );
  });
});

describe('what is found in a namespace', () => {
  const found = (rules: InPodRuleOptions) =>
    rulesFound(parseSavedRules(replacementText(new Map(), inPodRules(rules, 4))));

  it('captures, or is what is left while a pod leaves', () => {
    assert.equal(found(SIMPLE), 'capturing');
    assert.equal(found({ ...SIMPLE, ingressMode: true, capture: 'new-connections' }), 'capturing');
    assert.equal(found({ ...SIMPLE, dnsCapture: true, capture: 'none' }), 'emptied');
  });

  it('is nothing of the mesh when others wrote it, a sidecar included', () => {
    const sidecar =
      '*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -j REDIRECT\nCOMMIT\n';
    for (const text of ['', FOREIGN, sidecar]) assert.equal(rulesFound(parseSavedRules(text)), 'none');
  });
});

const SIMPLE: InPodRuleOptions = {
  dnsCapture: false,
  ingressMode: false,
  rerouteVirtualInterfaces: [],
  probeAddressV4: '169.254.7.127',
  probeAddressV6: 'fd16::1',
  ipv6: false,
};
