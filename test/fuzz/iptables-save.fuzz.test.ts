import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { inPodRules } from '../../src/agent/in-pod-rules.ts';
import { compareRules, parseSavedRules, removalText, replacementText } from '../../src/agent/iptables-save.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const WANTED = inPodRules(
  {
    dnsCapture: true,
    ingressMode: false,
    rerouteVirtualInterfaces: ['br0'],
    probeAddressV4: '169.254.7.127',
    probeAddressV6: 'fd16::1',
    ipv6: true,
  },
  4,
);
const LINES = [
  ...replacementText(new Map(), WANTED).split('\n'),
  ':DOCKER - [0:0]',
  '-A OUTPUT -j DOCKER',
  '-A DOCKER',
];

it('whatever iptables-save prints, only chains of the mesh and jumps to them are removed', () => {
  const line = fc.oneof(fc.constantFrom(...LINES), fc.string());
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
      const saved = parseSavedRules(lines.join('\n'));
      compareRules(saved, WANTED);
      for (const command of removalText(saved).split('\n')) {
        assert.match(command, /^$|^\*|^COMMIT$|^-[FX] ISTIO_(PRERT|OUTPUT)$|^-D \S+ .*-j ISTIO_(PRERT|OUTPUT)( |$)/);
      }
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
