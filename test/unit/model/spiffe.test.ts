import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSpiffeId, principalOf, spiffeId } from '../../../src/model/spiffe.ts';

describe('a SPIFFE id', () => {
  it('survives writing and reading', () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/);
    const identity = fc.record({
      trustDomain: fc.stringMatching(/^[a-z0-9._-]{1,30}$/),
      namespace: segment,
      serviceAccount: segment,
    });
    fc.assert(
      fc.property(identity, (one) => {
        assert.deepEqual(parseSpiffeId(spiffeId(one)), { ...one });
        assert.equal(`spiffe://${principalOf(spiffeId(one))}`, spiffeId(one));
      }),
    );
  });

  it('is what reads back as itself, and nothing else', () => {
    const text = fc.oneof(
      fc.string().map((tail) => `spiffe://td/ns/a/sa/${tail}`),
      fc.string({ unit: fc.constantFrom('spiffe://', 'td', '/', 'ns', 'sa', 'a', '.', '..', '%2f', '?', '#', '\0') }),
    );
    fc.assert(
      fc.property(text, (one) => {
        const identity = parseSpiffeId(one);
        if (identity !== undefined) assert.equal(spiffeId(identity), one);
      }),
      { numRuns: 3000 },
    );
  });

  for (const text of [
    '',
    'spiffe://',
    'spiffe://td/ns/a',
    'spiffe://td/ns/a/sa/',
    'spiffe://td/ns//sa/b',
    'spiffe:///ns/a/sa/b',
    'spiffe://td/ns/a/sa/b/',
    'spiffe://td/ns/a/sa/b/c',
    'spiffe://td/NS/a/sa/b',
    'spiffe://td/sa/b/ns/a',
    'SPIFFE://td/ns/a/sa/b',
    'spiffe://TD/ns/a/sa/b',
    'spiffe://td:8080/ns/a/sa/b',
    'spiffe://user@td/ns/a/sa/b',
    'spiffe://td/ns/../sa/b',
    'spiffe://td/ns/a/sa/.',
    'spiffe://td/ns/a/sa/b?x',
    'spiffe://td/ns/a/sa/b#x',
    'spiffe://td/ns/a/sa/b\0',
    'spiffe://td/ns/a/sa/b c',
    'spiffe://td/ns/a/sa/b\n',
    'spiffe://td/ns/%61/sa/b',
    ' spiffe://td/ns/a/sa/b',
    `spiffe://td/ns/a/sa/${'x'.repeat(254)}`,
  ]) {
    it(`is not ${JSON.stringify(text.slice(0, 60))}`, () => assert.equal(parseSpiffeId(text), undefined));
  }
});
