import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expandName, wildcardsOf } from '../../../src/dns/name-expansion.ts';

/** Candidates as text: what was found by taking a search domain off ends in ` (stripped)`. */
function candidates(name: string, namespace = 'ns'): string[] {
  return expandName(name, namespace, 'cluster.local').map((one) => one.name + (one.stripped ? ' (stripped)' : ''));
}

describe('expandName', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['web', ['web', 'web.ns.svc.cluster.local']],
    ['web.shop', ['web.shop', 'web.shop.svc.cluster.local', 'web.shop.ns.svc.cluster.local']],
    ['web.shop.svc', ['web.shop.svc', 'web.shop.svc.cluster.local', 'web.shop.svc.svc.cluster.local']],
    ['a.b.c', ['a.b.c', 'a.b.c.svc.cluster.local']],
    ['a.b.c.svc', ['a.b.c.svc', 'a.b.c.svc.cluster.local']],
    ['a.b.c.d', ['a.b.c.d']],
    ['web.shop.svc.cluster.local', ['web.shop.svc.cluster.local', 'web.shop (stripped)', 'web.shop.svc (stripped)']],
    ['a.b.c.d.e.svc', ['a.b.c.d.e.svc']],
    [
      'google.com.ns.svc.cluster.local',
      [
        'google.com.ns.svc.cluster.local',
        'google.com (stripped)',
        'google.com.ns (stripped)',
        'google.com.ns.svc (stripped)',
      ],
    ],
    [
      'google.com.svc.cluster.local',
      ['google.com.svc.cluster.local', 'google.com (stripped)', 'google.com.svc (stripped)'],
    ],
    ['google.com.cluster.local', ['google.com.cluster.local', 'google.com (stripped)']],
    ['cluster.local', ['cluster.local', 'cluster.local.svc.cluster.local', 'cluster.local.ns.svc.cluster.local']],
    ['svc.cluster.local', ['svc.cluster.local', 'svc.cluster.local.svc.cluster.local', 'svc (stripped)']],
    ['', []],
    ['a\\.b', []],
  ];
  for (const [name, expected] of table) {
    it(`of "${name}" tries ${expected.length} names`, () => assert.deepEqual(candidates(name), expected));
  }

  it('takes only the own namespace off', () => {
    assert.deepEqual(candidates('google.com.other.svc.cluster.local'), [
      'google.com.other.svc.cluster.local',
      'google.com.other (stripped)',
      'google.com.other.svc (stripped)',
    ]);
  });
});

describe('wildcardsOf', () => {
  it('goes from the closest to the widest', () => {
    assert.deepEqual([...wildcardsOf('a.b.c.d')], ['*.b.c.d', '*.c.d', '*.d']);
    assert.deepEqual([...wildcardsOf('a')], []);
  });
});
