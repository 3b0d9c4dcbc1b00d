import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { regexProblem } from '../../../../src/model/validation/regex-syntax.ts';

const RIGHT = [
  '.*',
  '^/api/v[0-9]+/(users|orders)$',
  '(?i)abc',
  '(?i:a)b',
  '(?is-U:a)',
  '(?P<name>a)(?<other>b)',
  'a{2,3}?b{,3}c{x}',
  '[[:alpha:]_][^]a-z]*',
  '\\pL\\p{Greek}\\x41\\x{10FFFF}\\012\\A\\z',
  '(\\Q(((\\E)?',
  '\\.\\/\\-\\_',
  '[a-z-9]',
  '[\\]\\w-]',
  '()|',
  '^*',
  '(?P<1a>x)',
  '.{1,1000}',
  '(?i)[^/]{2,64}',
];
const WRONG: readonly (readonly [pattern: string, says: RegExp])[] = [
  ['(', /without its \)/],
  [')', /without its \(/],
  ['[a', /without its \]/],
  ['*', /nothing to repeat/],
  ['a**', /repeats a repetition/],
  ['a|+', /nothing to repeat/],
  ['(?=a)', /ahead or behind/],
  ['(?<!a)b', /ahead or behind/],
  ['(a)\\1', /back reference/],
  ['\\', /backslash/],
  ['\\y', /unknown escape/],
  ['[\\y]', /unknown escape/],
  ['[z-a]', /backwards/],
  ['a{3,2}', /backwards/],
  ['a{1001}', /1000 times/],
  ['a'.repeat(1025), /1024/],
  ['(a{500}){3}', /instructions/],
  ['(a{101}){10}', /1000 times/],
  ['\\p{Foo}', /class of characters/],
  ['\\pQ', /class of characters/],
  ['(?P<a>x)(?P<a>y)', /two groups of the name a$/],
  ['[[:foo:]]', /class of characters/],
  ['\\x{110000}', /unknown escape/],
  ['\\C', /unknown escape/],
  ['\\é', /unknown escape/],
  ['[a-\\d]', /unknown escape/],
  ['[z-\\x41]', /backwards/],
  ['[ä-a]', /backwards/],
  ['[!-\\x20]', /backwards/],
  ['/(.{1,1000}){1}.{1,1000}!', /instructions/],
  [`/${'.{1,1000}'.repeat(40)}!`, /instructions, 2500 at most/],
];

describe('the syntax of RE2', () => {
  for (const pattern of RIGHT) {
    test(`has ${pattern}`, () => assert.equal(regexProblem(pattern), undefined));
  }

  for (const [pattern, says] of WRONG) {
    test(`has not ${pattern.slice(0, 20)}`, () => assert.match(regexProblem(pattern) ?? '', says));
  }

  test('is told for any text without throwing, in short time', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'([{\\?*+|])}a1,:-P<>=!Q^$ ') }), (pattern) => {
        regexProblem(pattern);
      }),
      { numRuns: 2000 },
    );
    for (const part of ['[[:a:', '(', '\\Q', '[^]', '(?i']) assert.ok(regexProblem(part.repeat(150)) !== '');
  });
});
