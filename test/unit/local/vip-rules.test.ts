import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { VirtualEndpoint } from '../../../src/local/service-view.ts';
import { vipRules } from '../../../src/local/vip-rules.ts';
import { canonicalIp } from '../../../src/model/address.ts';

function endpoint(vip: string, port: number, ...targets: [string, number][]): VirtualEndpoint {
  return {
    protocol: 'tcp',
    vip: canonicalIp(vip),
    port,
    targets: targets.map(([address, targetPort]) => ({ address: canonicalIp(address), port: targetPort })),
  };
}

const ENDPOINTS = [
  endpoint('10.96.0.5', 80, ['10.244.1.2', 8080], ['10.244.2.2', 8081]),
  endpoint('fd00:96::5', 80, ['fd00:244:1::2', 8080]),
  endpoint('10.96.0.6', 80),
];

describe('vipRules', () => {
  it('sends a virtual address and port to one of its endpoints, each protocol by itself', () => {
    const udp: VirtualEndpoint = { ...endpoint('10.96.0.5', 80, ['10.244.1.9', 53]), protocol: 'udp' };
    const rules = vipRules([...ENDPOINTS, udp]);
    assert.match(rules, /map services \{[^}]*10\.96\.0\.5 \. tcp \. 80 : goto targets-0 \}/);
    assert.match(rules, /map single \{[^}]*10\.96\.0\.5 \. udp \. 80 : 10\.244\.1\.9 \. 53 \}/);
    assert.match(rules, /numgen random mod 2 map \{ 0 : 10\.244\.1\.2 \. 8080, 1 : 10\.244\.2\.2 \. 8081 \}/);
    assert.match(rules, /fd00:96::5 \. tcp \. 80/);
  });

  it('has one chain for all services with the same endpoints, since nft takes quadratic time in their number', () => {
    const targets: [string, number][] = [
      ['10.244.1.2', 8080],
      ['10.244.2.2', 8080],
    ];
    const many = Array.from({ length: 50 }, (_, index) => endpoint(`10.96.1.${index}`, 80, ...targets));
    assert.equal(vipRules(many).match(/chain targets-/g)?.length, 1);
  });

  it('has no entry for a service without endpoints', () => assert.ok(!vipRules(ENDPOINTS).includes('10.96.0.6')));

  it('has each key once when two services claim one address', () => {
    const rules = vipRules([...ENDPOINTS, endpoint('10.96.0.5', 80, ['10.244.9.9', 1])]);
    assert.equal(rules.split('10.96.0.5 . tcp . 80').length, 2);
    assert.ok(!rules.includes('10.244.9.9'));
  });

  it('replaces the rules before it in one transaction that nft accepts, also when there is nothing', () => {
    const script = `${vipRules(ENDPOINTS)}${vipRules([])}${vipRules(ENDPOINTS)}`;
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const { status, stderr } = spawnSync('unshare', [...user, '--net', 'nft', '-f', '-'], {
      input: script,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  });
});
