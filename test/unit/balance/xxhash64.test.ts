import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxHash64 } from '../../../src/balance/xxhash64.ts';

const PUBLISHED: readonly [string, bigint][] = [
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['as', 0x1c330fb2d66be179n],
  ['asd', 0x631c37ce72a97393n],
  ['asdf', 0x415872f599cea71en],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', 0x02a2e85470d6fd96n],
];

test('texts of every length have the published hashes', () => {
  for (const [text, hash] of PUBLISHED) assert.equal(xxHash64(text).toString(16), hash.toString(16), text);
});

test('a seed makes another hash', () => {
  assert.notEqual(xxHash64('a', 1n), xxHash64('a'));
});
