import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addNumber, firstInOrder } from '../../../src/base/first-in-order.ts';

describe('several lists in order', () => {
  it('are gone through as one sorted list, up to the first number for which the test holds', () => {
    const list = fc.uniqueArray(fc.nat(30)).map((numbers) => numbers.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(list, { maxLength: 24 }), fc.nat(32), (lists, least) => {
        const seen: number[] = [];
        const found = firstInOrder(lists, least, (number, wanted) => {
          seen.push(number);
          return number >= wanted;
        });
        const sorted = lists.flat().sort((a, b) => a - b);
        assert.equal(
          found,
          sorted.find((number) => number >= least),
        );
        const end = sorted.findIndex((number) => number >= least);
        assert.deepEqual(seen, end < 0 ? sorted : sorted.slice(0, end + 1));
      }),
    );
  });

  it('cost a number no look at each of many lists', () => {
    let reads = 0;
    const get = (list: readonly number[], key: string | symbol) => {
      reads++;
      return Reflect.get(list, key);
    };
    const lists = Array.from({ length: 1000 }, (_, at) => new Proxy([at, at + 1000, at + 2000], { get }));
    assert.equal(
      firstInOrder(lists, 0, () => false),
      undefined,
    );
    assert.ok(reads < 20_000, String(reads));
  });

  it('take a number under its key', () => {
    const lists = new Map<string, number[]>();
    for (const [key, number] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ] as const)
      addNumber(lists, key, number);
    assert.deepEqual(Object.fromEntries(lists), { a: [1, 3], b: [2] });
  });
});
