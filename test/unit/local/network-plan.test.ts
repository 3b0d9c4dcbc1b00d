import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_NODES, PodAddressPool, planNode } from '../../../src/local/network-plan.ts';

describe('planNode', () => {
  it('gives a node its addresses', () => {
    assert.deepEqual(planNode('a', 2), {
      name: 'a',
      number: 2,
      address: '10.240.0.12',
      addressV6: 'fd00:240::c',
      gateway: '10.244.2.1',
      gatewayV6: 'fd00:244:2::1',
      podCidr: '10.244.2.0/24',
      podCidrV6: 'fd00:244:2::/64',
    });
  });

  it('gives no two nodes the same address', () => {
    const plans = Array.from({ length: MAX_NODES }, (_, index) => planNode(`n${index}`, index + 1));
    const addresses = plans.flatMap((plan) => [
      plan.address,
      plan.addressV6,
      plan.gateway,
      plan.gatewayV6,
      plan.podCidr,
    ]);
    assert.equal(new Set(addresses).size, addresses.length);
  });
});

describe('PodAddressPool', () => {
  it('never gives an address to two pods and never that of the gateway', () => {
    const node = planNode('a', 1);
    const pool = new PodAddressPool(node);
    const ips = Array.from({ length: 250 }, () => pool.allocate()).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    assert.equal(new Set([...ips, node.gateway, node.gatewayV6]).size, ips.length + 2);
    assert.throws(() => pool.allocate(), { code: 'NODE_FULL' });
  });

  it('uses a freed address again only after all others', () => {
    const pool = new PodAddressPool(planNode('a', 1));
    const first = pool.allocate();
    pool.release(first);
    const next = Array.from({ length: 249 }, () => pool.allocate().host);
    assert.ok(!next.includes(first.host));
    assert.equal(pool.allocate().host, first.host);
  });
});
