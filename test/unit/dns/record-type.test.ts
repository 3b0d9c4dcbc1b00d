import assert from 'node:assert/strict';
import { it } from 'node:test';
import { recordTypeName } from '../../../src/dns/record-type.ts';

it('recordTypeName knows few names, so that labels stay few', () => {
  const names = new Set(Array.from({ length: 65536 }, (_, type) => recordTypeName(type)));
  assert.ok(names.size < 40);
  assert.deepEqual([1, 28, 65, 12345].map(recordTypeName), ['A', 'AAAA', 'HTTPS', 'Unknown']);
});
