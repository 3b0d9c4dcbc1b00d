import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  hostIptablesRemoval,
  hostIptablesScript,
  ipsetScript,
  nftHostScript,
  parsePostrouting,
} from '../../../../src/agent/host/probe-rules.ts';

const SOURCE = '169.254.7.127';
const ENTRIES = new Map([
  ['10.0.0.1', 'u1'],
  ['fd00::1', 'u2"; flush ruleset'],
]);

describe('probe rules', () => {
  it('fill a new set and swap it in, family by family', () => {
    assert.equal(
      ipsetScript(4, ENTRIES),
      [
        'create istio-inpod-probes-v4 hash:ip family inet comment',
        'create istio-inpod-probes-v4-new hash:ip family inet comment',
        'flush istio-inpod-probes-v4-new',
        'add istio-inpod-probes-v4-new 10.0.0.1 comment "u1"',
        'swap istio-inpod-probes-v4-new istio-inpod-probes-v4',
        'destroy istio-inpod-probes-v4-new',
        '',
      ].join('\n'),
    );
    assert.match(ipsetScript(6, ENTRIES), /^add \S+ fd00::1 comment "u2flushruleset"$/m);
  });

  it('put the jump first, replacing jumps that are there', () => {
    const lines = hostIptablesScript(4, SOURCE, 2).split('\n');
    assert.equal(lines.filter((line) => line === '-D POSTROUTING -j ISTIO_POSTRT').length, 2);
    assert.ok(lines.includes('-I POSTROUTING 1 -j ISTIO_POSTRT'));
  });

  it('are in place only with the jump in front and the one right rule', () => {
    const rule = `-A ISTIO_POSTRT -p tcp -m owner --socket-exists -m set --match-set istio-inpod-probes-v4 dst -j SNAT --to-source ${SOURCE}`;
    const text = (...rules: string[]) => [':ISTIO_POSTRT - [0:0]', ...rules].join('\n');
    const jump = '-A POSTROUTING -j ISTIO_POSTRT';
    const other = '-A POSTROUTING -j KUBE-POSTROUTING';
    const check = (...rules: string[]) => parsePostrouting(text(...rules), 4, SOURCE).isInPlace;
    assert.ok(check(jump, other, rule));
    assert.ok(!check(other, jump, rule));
    assert.ok(!check(jump, other));
    assert.ok(!check(jump, rule, rule));
    assert.ok(!check(jump, rule.replace(SOURCE, '10.0.0.1')));
    assert.equal(parsePostrouting(text(jump, jump), 4, SOURCE).jumps, 2);
    assert.equal(hostIptablesRemoval({ hasChain: false, jumps: 0, isInPlace: false }), '');
  });

  it('say the same in nft, for the kubelet only, without what could end a comment', () => {
    const script = nftHostScript({
      families: [4, 6],
      sourceV4: SOURCE,
      sourceV6: 'fd16::1',
      kubeletUid: 7,
      entries: ENTRIES,
    });
    assert.match(script, /meta skuid 7 ip daddr @istio-inpod-probes-v4 snat ip to 169\.254\.7\.127/);
    assert.match(script, /meta skuid 7 ip6 daddr @istio-inpod-probes-v6 snat ip6 to fd16::1/);
    assert.ok(!script.includes('flush'.concat(' ruleset')));
  });
});
