import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CLUSTER_IPV4, CLUSTER_IPV6, SERVICE_ENTRY_IPV6, VipAllocator } from '../../../src/control/vip-allocator.ts';
import { type IpAddress, parseIpAddress } from '../../../src/model/address.ts';

type Action =
  | { readonly do: 'allocate' | 'release'; readonly name: string }
  | { readonly do: 'claim' | 'unclaim'; readonly address: IpAddress; readonly name: string };

/** The allocator and what it promised so far. */
class Model {
  readonly pool = new VipAllocator({ base: '10.0.0.0', hostBits: 4 });
  readonly held = new Map<string, string>();
  readonly claims = new Map<string, Set<string>>();

  apply(action: Action): void {
    const { name } = action;
    switch (action.do) {
      case 'allocate':
        this.held.set(name, this.pool.allocate(name)!);
        break;
      case 'release':
        this.pool.release(name);
        this.held.delete(name);
        break;
      case 'claim':
        this.held.delete(this.pool.claim(action.address, name) ?? '');
        this.claims.set(action.address, (this.claims.get(action.address) ?? new Set()).add(name));
        break;
      case 'unclaim':
        this.pool.unclaim(action.address, name);
        this.claims.get(action.address)?.delete(name);
        break;
    }
  }
}

describe('VipAllocator', () => {
  test('gives an owner the same address at any time and after a restart', () => {
    const first = new VipAllocator(CLUSTER_IPV4);
    const address = first.allocate('demo/web');
    assert.match(address!, /^10\.96\./);
    assert.equal(first.allocate('demo/web'), address);
    assert.equal(new VipAllocator(CLUSTER_IPV4).allocate('demo/web'), address);
    assert.match(new VipAllocator(CLUSTER_IPV6).allocate('demo/web')!, /^fd00:10:96::/);
    assert.match(new VipAllocator(SERVICE_ENTRY_IPV6).allocate('demo/web')!, /^2001:2::/);
  });

  test('fills a small range to the last usable address, then gives none', () => {
    const small = new VipAllocator({ base: '10.0.0.0', hostBits: 3 });
    const given = Array.from({ length: 7 }, (_, index) => small.allocate(`o${index}`));
    assert.deepEqual([...given].sort(), [
      '10.0.0.1',
      '10.0.0.2',
      '10.0.0.3',
      '10.0.0.4',
      '10.0.0.5',
      '10.0.0.6',
      undefined,
    ]);
    small.release('o0');
    assert.notEqual(small.allocate('late'), undefined);
  });

  test('never gives one address to two owners nor a claimed one to anybody', () => {
    const owner = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const ip = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3').map((text) => parseIpAddress(text) as IpAddress);
    const step = fc.oneof(
      owner.map((name) => ({ do: 'allocate' as const, name })),
      owner.map((name) => ({ do: 'release' as const, name })),
      fc.tuple(ip, owner).map(([address, name]) => ({ do: 'claim' as const, address, name: `claim-${name}` })),
      fc.tuple(ip, owner).map(([address, name]) => ({ do: 'unclaim' as const, address, name: `claim-${name}` })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model = new Model();
        for (const action of steps) {
          model.apply(action);
          const addresses = [...model.held.values()];
          assert.equal(new Set(addresses).size, addresses.length);
          for (const address of addresses) assert.equal(model.claims.get(address)?.size ?? 0, 0);
        }
      }),
    );
  });
});
