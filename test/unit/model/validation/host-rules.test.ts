import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HostPatterns, hostProblem } from '../../../../src/model/validation/host-rules.ts';

const label = fc.constantFrom('a', 'b', 'c');
const pattern = fc
  .tuple(fc.boolean(), fc.array(label, { minLength: 1, maxLength: 3 }))
  .map(([wildcard, labels]) => [...(wildcard ? ['*'] : []), ...labels].join('.'));

describe('patterns of hosts', () => {
  test('are names, addresses, and names whose left-most label is a wildcard', () => {
    for (const text of ['web', 'a.b', 'a.b.', '*', '*.a.com', '*-x.a.com', '10.0.0.1', '::1', 'a_b']) {
      assert.equal(hostProblem(text), undefined, text);
    }
    for (const text of ['', 'a b', '*a.com', 'a.*', '**.a', '*.', '.a', '-a', 'a/b', `${'a'.repeat(64)}.com`]) {
      assert.ok(hostProblem(text) !== undefined, text);
    }
  });

  test('cover what ends like them, whatever the case, and not the name without its first label', () => {
    const patterns = new HostPatterns(['*.A.com', 'b.com', '*-x.c.com']);
    for (const host of ['x.a.com', 'x.y.a.com', '*.x.a.com', '*.a.com', 'B.com', 'q-x.c.com']) {
      assert.ok(patterns.covers(host), host);
    }
    for (const host of ['a.com', 'xa.com', 'x.b.com', '*.com', 'x.c.com', '*']) assert.ok(!patterns.covers(host), host);
  });

  test('find what is wider as comparing each with each does', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 5 }), pattern, (patterns, host) => {
        const isWider = (other: string) =>
          other.startsWith('*') && other !== host && host.replace(/^\*/, '').endsWith(other.slice(1));
        assert.equal(new HostPatterns(patterns).wider(host) !== undefined, patterns.some(isWider));
      }),
    );
  });
});
