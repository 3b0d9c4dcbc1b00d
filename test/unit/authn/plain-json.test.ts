import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { isPlainJson } from '../../../src/authn/plain-json.ts';

const isPlain = (json: string) => isPlainJson(json, 32);

it('JSON that a program wrote is plain as long as it is not deep', () => {
  const depth = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(6), (value, space) => {
      const json = JSON.stringify(value, undefined, space);
      for (const max of [2, 4, 32]) assert.equal(isPlainJson(json, max), depth(value) <= max);
    }),
  );
});

it('an object with a name twice is not plain, wherever it is and however the name is written', () => {
  const name = fc.string({ maxLength: 3 });
  const written = (text: string) =>
    fc.constantFrom(
      JSON.stringify(text),
      `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`,
    );
  const twice = name.chain((text) => fc.tuple(written(text), written(text), fc.constantFrom('', ' ', '\n\t')));
  fc.assert(
    fc.property(twice, fc.nat(5), fc.jsonValue(), ([first, second, blank], depth, value) => {
      const object = `{${first}:${JSON.stringify(value)},${blank}${second}${blank}:1}`;
      assert.equal(isPlain('[{"a":'.repeat(depth) + object + '}]'.repeat(depth)), false);
    }),
  );
});

it('no text whatever takes long or throws', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', 'a', ' ') }),
      (text) => void isPlain(text),
    ),
  );
  assert.equal(isPlain('['.repeat(100_000)), false);
  assert.equal(isPlain('"'.repeat(100_000)), true);
  assert.equal(isPlain(`{${'"a'.repeat(50_000)}`), true);
});
