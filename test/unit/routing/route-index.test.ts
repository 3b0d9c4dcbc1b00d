import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PathKey, RouteIndex } from '../../../src/routing/route-index.ts';

/** All numbers that come for a path, in their order. */
function candidates(keys: readonly PathKey[], path: string): number[] {
  const seen: number[] = [];
  new RouteIndex(keys).find(path, seen, (number, list) => {
    list.push(number);
    return false;
  });
  return seen;
}

const exact = (path: string): PathKey => ({ kind: 'exact', path });
const prefix = (text: string): PathKey => ({ kind: 'prefix', prefix: text });
const any: PathKey = { kind: 'any' };

describe('the index of routes', () => {
  it('gives what can match a path, in the order of the routes', () => {
    const keys = [prefix('/a/b'), any, exact('/a/b'), prefix('/a'), exact('/a'), prefix(''), prefix('/b')];
    assert.deepEqual(candidates(keys, '/a/b'), [0, 1, 2, 3, 5]);
    assert.deepEqual(candidates(keys, '/a'), [1, 3, 4, 5]);
    assert.deepEqual(candidates(keys, '/'), [1, 5]);
    assert.deepEqual(candidates([], '/'), []);
  });

  it('ends at the first for which the test holds', () => {
    const index = new RouteIndex([prefix('/a'), exact('/a/b'), any]);
    assert.equal(
      index.find('/a/b', 1, (number, least) => number >= least),
      1,
    );
    assert.equal(
      index.find('/a/b', 9, (number, least) => number >= least),
      undefined,
    );
  });

  it('leaves out nothing that going through all of them would find', () => {
    const path = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 6 }).map((parts) => parts.join(''));
    const key = fc.oneof(path.map(exact), path.map(prefix), fc.constant(any));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 12 }), path, (keys, asked) => {
        const wanted = keys.flatMap((one, number) => {
          if (one.kind === 'exact') return one.path === asked ? [number] : [];
          return one.kind === 'any' || asked.startsWith(one.prefix) ? [number] : [];
        });
        assert.deepEqual(candidates(keys, asked), wanted);
      }),
    );
  });
});
