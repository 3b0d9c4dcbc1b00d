import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Balancer, WeightedHost } from '../../../src/balance/balancer.ts';
import { hashRing } from '../../../src/balance/hash-ring.ts';
import { LeastRequestBalancer } from '../../../src/balance/least-request.ts';
import { MaglevBalancer } from '../../../src/balance/maglev.ts';
import { RandomBalancer } from '../../../src/balance/random-balancer.ts';
import { RingHashBalancer, ringMembers } from '../../../src/balance/ring-hash.ts';
import { RoundRobinBalancer } from '../../../src/balance/round-robin.ts';
import { warmupFactor } from '../../../src/balance/warmup.ts';
import { xxHash64 } from '../../../src/balance/xxhash64.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

interface Host {
  readonly hashKey: string;
  active: number;
  addedMs: number;
}

function hosts(weights: readonly number[]): WeightedHost<Host>[] {
  return weights.map((weight, index) => ({
    host: { hashKey: `10.0.0.${index + 1}:80`, active: 0, addedMs: Number.NEGATIVE_INFINITY },
    weight,
  }));
}

function counts(balancer: Balancer<Host>, list: readonly WeightedHost<Host>[], picks: number, nowMs = 0): number[] {
  const random = seededRandom(7);
  const found = new Map<Host, number>();
  for (let pick = 0; pick < picks; pick++) {
    const host = balancer.pick({ hash: undefined, nowMs, random });
    if (host !== undefined) found.set(host, (found.get(host) ?? 0) + 1);
  }
  return list.map(({ host }) => found.get(host) ?? 0);
}

function near(actual: number, expected: number, tolerance = 0.1): void {
  assert.ok(Math.abs(actual - expected) <= expected * tolerance, `${actual} is not near ${expected}`);
}

const WARMUP = { durationMs: 10_000, minimumPercent: 10, aggression: 1 };

describe('least request', () => {
  it('spreads evenly over hosts that are equally busy', () => {
    const list = hosts([1, 1, 1, 1]);
    for (const count of counts(new LeastRequestBalancer(list, undefined), list, 8000)) near(count, 2000);
  });

  it('prefers of two the one with less to do', () => {
    const list = hosts([1, 1, 1, 1]);
    list[0]!.host.active = 5;
    const [busy = 0, ...others] = counts(new LeastRequestBalancer(list, undefined), list, 8000);
    // Only when both draws hit it.
    near(busy, 8000 / 16, 0.15);
    for (const count of others) near(count, 2500);
  });

  it('gives heavier hosts more', () => {
    const list = hosts([1, 3]);
    const [light = 0, heavy = 0] = counts(new LeastRequestBalancer(list, undefined), list, 8000);
    assert.ok(heavy > 2.5 * light);
  });

  it('passes over a host that warms up as often as its share says', () => {
    const list = hosts([1, 1, 1, 1]);
    list[3]!.host.addedMs = 0;
    const [, , , fresh = 0] = counts(new LeastRequestBalancer(list, WARMUP), list, 8000, 1);
    near(fresh, 8000 * (0.1 / 3.1), 0.2);
    const [, , , warm = 0] = counts(new LeastRequestBalancer(list, WARMUP), list, 8000, 10_000);
    near(warm, 2000);
  });

  it('has nothing to give without hosts', () => {
    assert.deepEqual(counts(new LeastRequestBalancer<Host>([], undefined), [], 3), []);
  });
});

describe('round robin', () => {
  it('goes round', () => {
    const list = hosts([1, 1, 1]);
    assert.deepEqual(counts(new RoundRobinBalancer(list, undefined, seededRandom()), list, 9), [3, 3, 3]);
  });

  it('gives turns by weight', () => {
    const list = hosts([1, 2, 5]);
    const [a = 0, b = 0, c = 0] = counts(new RoundRobinBalancer(list, undefined, seededRandom()), list, 800);
    near(a, 100, 0.02);
    near(b, 200, 0.02);
    near(c, 500, 0.02);
  });

  it('gives a new host its turns little by little', () => {
    const list = hosts([1, 1]);
    list[1]!.host.addedMs = 0;
    const [, fresh = 0] = counts(new RoundRobinBalancer(list, WARMUP, seededRandom()), list, 1100, 1);
    near(fresh, 100, 0.05);
  });
});

describe('random', () => {
  it('spreads by weight, whatever hosts are busy with', () => {
    const list = hosts([1, 1, 2]);
    list[0]!.host.active = 100;
    const [a = 0, b = 0, c = 0] = counts(new RandomBalancer(list), list, 8000);
    near(a, 2000);
    near(b, 2000);
    near(c, 4000);
  });
});

const KEYS = Array.from({ length: 5000 }, (_, index) => xxHash64(`user-${index}`));

function owners(balancer: Balancer<Host>): (string | undefined)[] {
  const random = seededRandom();
  return KEYS.map((hash) => balancer.pick({ hash, nowMs: 0, random })?.hashKey);
}

for (const [name, make] of [
  ['ring hash', (list: WeightedHost<Host>[]) => new RingHashBalancer(list, 1024)],
  ['Maglev', (list: WeightedHost<Host>[]) => new MaglevBalancer(list, 65_537)],
] as const) {
  describe(name, () => {
    it('sends a key to the same host always', () => {
      assert.deepEqual(owners(make(hosts([1, 1, 1]))), owners(make(hosts([1, 1, 1]))));
    });

    it('gives every host its part of the keys', () => {
      const found = owners(make(hosts(Array(10).fill(1))));
      for (let index = 1; index <= 10; index++) {
        const count = found.filter((key) => key === `10.0.0.${index}:80`).length;
        assert.ok(count > 250 && count < 850, `${count} of 5000`);
      }
    });

    it('gives heavier hosts more keys', () => {
      const found = owners(make(hosts([1, 4])));
      near(found.filter((key) => key === '10.0.0.2:80').length, 4000);
    });

    it('leaves keys of other hosts where they are when one goes', () => {
      const list = hosts(Array(10).fill(1));
      const before = owners(make(list));
      const after = owners(make(list.slice(1)));
      const moved = before.filter((key, index) => key !== '10.0.0.1:80' && key !== after[index]).length;
      assert.ok(moved < KEYS.length * 0.03, `${moved} moved`);
    });

    it('spreads requests without a key', () => {
      const list = hosts([1, 1]);
      const [a = 0, b = 0] = counts(make(list), list, 4000);
      assert.ok(a > 1200 && b > 1200);
    });

    it('has nothing to give without hosts', () => {
      assert.equal(make([]).pick({ hash: 5n, nowMs: 0, random: seededRandom() }), undefined);
    });
  });
}

describe('ring hash of many points', () => {
  it('gives every host nearly the same', () => {
    const found = owners(new RingHashBalancer(hosts(Array(10).fill(1)), 65_536));
    for (let index = 1; index <= 10; index++)
      near(found.filter((key) => key === `10.0.0.${index}:80`).length, 500, 0.2);
  });

  it('gives shares by weight', () => {
    const found = owners(new RingHashBalancer(hosts([1, 4, 5]), 65_536));
    near(found.filter((key) => key === '10.0.0.1:80').length, 500, 0.15);
    near(found.filter((key) => key === '10.0.0.2:80').length, 2000);
  });

  it('passes over hosts that may not be used, and leaves the keys of others where they are', () => {
    const list = hosts(Array(10).fill(1));
    const ring = new RingHashBalancer(list, 1024);
    const before = owners(ring);
    const left = new Set(list.slice(2).map(({ host }) => host));
    const after = owners(ring.among((host) => left.has(host)));
    const gone = new Set(['10.0.0.1:80', '10.0.0.2:80']);
    for (const [index, owner = ''] of before.entries()) {
      if (gone.has(owner)) assert.equal(gone.has(after[index] ?? ''), false);
      else assert.equal(after[index], owner);
    }
    // To many others, not to one.
    const heirs = new Set(after.filter((_, index) => gone.has(before[index] ?? '')));
    assert.equal(heirs.size, 8);
  });

  it('has nothing to give when no host may be used', () => {
    const ring = new RingHashBalancer(hosts([1, 1]), 1024).among(() => false);
    assert.equal(ring.pick({ hash: 5n, nowMs: 0, random: seededRandom() }), undefined);
  });
});

describe('hash rings', () => {
  it('are in order, and have each member at all of its points', () => {
    const { places, owners: members } = hashRing([
      { hashKey: 'a', points: 300 },
      { hashKey: 'b', points: 700 },
    ]);
    assert.deepEqual(
      [...places],
      [...places].sort((a, b) => a - b),
    );
    assert.equal(members.filter((member) => member === 1).length, 700);
    assert.equal(new Set(places).size, 1000);
  });

  it('keep a member where it is when it gets more points', () => {
    const few = new Set(hashRing([{ hashKey: 'a', points: 100 }]).places);
    const more = new Set(hashRing([{ hashKey: 'a', points: 110 }]).places);
    assert.ok([...few].every((place) => more.has(place)));
  });

  it('are no larger than 65,536 points, whatever a policy asks for', () => {
    assert.equal(
      ringMembers(hosts([1, 1, 2]), 8_388_608).reduce((sum, { points }) => sum + points, 0),
      65_536,
    );
  });

  it('of Maglev are no larger than 131,071 places, whatever a policy asks for', () => {
    const many = hosts([1, 1]);
    const largest = new MaglevBalancer(many, 4_999_999);
    const same = new MaglevBalancer(many, 131_071);
    for (let hash = 0n; hash < 200n; hash++) {
      const context = { hash: hash * 0x9e37_79b9_7f4a_7c15n } as never;
      assert.equal(largest.pick(context), same.pick(context));
    }
  });
});

describe('warming up', () => {
  it('grows from the minimum to the whole', () => {
    assert.equal(warmupFactor(WARMUP, 0), 0.1);
    assert.equal(warmupFactor(WARMUP, 5000), 0.5);
    assert.equal(warmupFactor(WARMUP, 10_000), 1);
    assert.equal(warmupFactor(undefined, 0), 1);
  });

  it('grows fast at first with aggression', () => {
    assert.equal(warmupFactor({ ...WARMUP, aggression: 2 }, 2500), 0.5);
  });
});
