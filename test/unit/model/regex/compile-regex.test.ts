import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { compileRegex } from '../../../../src/model/regex/compile-regex.ts';
import { regexInstructions } from '../../../../src/model/regex/regex-instructions.ts';

const PARTS = [
  'a',
  '.',
  '[a-z]',
  '\\pL',
  '(',
  '(?:',
  '(?i:',
  ')',
  '|',
  '*',
  '+?',
  '{3}',
  '{2,5}',
  '{0,7}?',
  '{4,}',
  '\\b',
];

describe('the instructions of a regular expression', () => {
  it('are never more than was said before it was compiled', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PARTS), { maxLength: 30 }), (parts) => {
        const pattern = parts.join('');
        const most = regexInstructions(pattern);
        if (most > 20_000) return;
        try {
          assert.ok(RE2JS.compile(pattern).programSize() <= most, pattern);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          // RE2 does not take it at all.
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('have room for what is empty', () => {
    for (const pattern of ['(){0,7}?', '(|a){0,7}', '(||){3}', '(?:|){2,9}']) {
      assert.ok(RE2JS.compile(pattern).programSize() <= regexInstructions(pattern), pattern);
    }
  });

  it('are told without compiling, however often a pattern repeats', () => {
    assert.ok(regexInstructions('((((a{1000}){1000}){1000}){1000}){1000}') > 1e15);
  });
});

describe('a compiled regular expression', () => {
  it('keeps no more of what it met than is good for its size', () => {
    const compiled = compileRegex('(.*a.{300}b)|(.*[b-d].{300}c)!');
    assert.ok(compiled.ok);
    const { regex, instructions } = compiled.value;
    let text = '';
    for (let index = 0; index < 20_000; index++) text += 'abcd'.charAt((index * index * 7 + (index >> 3)) % 4);
    assert.equal(regex.matches(text), false);
    const cache = (regex.re2() as unknown as { dfa: { stateBudget: number; memBudget: number } }).dfa;
    assert.equal(cache.stateBudget, 64 * 1024 + instructions * 256);
    assert.ok(cache.memBudget >= 0 && cache.memBudget <= cache.stateBudget);
  });
});
