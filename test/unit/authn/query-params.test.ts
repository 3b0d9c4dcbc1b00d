import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hideParams, paramValues, withoutParams } from '../../../src/authn/query-params.ts';

describe('parameters of a target', () => {
  it('are found by their decoded names, decoded', () => {
    assert.deepEqual(paramValues('/a?t=1&b=2&%74=%33+4&t', 't'), ['1', '3 4', '']);
    assert.deepEqual(paramValues('/a?t=%zz', 't'), ['%zz']);
    assert.deepEqual(paramValues('/t=1', 't'), []);
  });

  it('are taken out, and the rest stays as it was written', () => {
    assert.equal(withoutParams('/a?x=%20&t=1&y=&%74=2', ['t']), '/a?x=%20&y=');
    assert.equal(withoutParams('/a?t=1', ['t']), '/a');
    assert.equal(withoutParams('/a?x=?t=1', ['t']), '/a?x=?t=1');
  });

  it('are hidden, however the target is taken apart', () => {
    for (const target of ['/a?t=secret', '/a?x=1&t=secret&y=2', '/a?x;t=secret', '/a?x?t=secret#y', '/a?%74=secret']) {
      assert.ok(!hideParams(target, ['t']).includes('secret'), target);
    }
    assert.equal(hideParams('/a?x=1&t=secret&y=2', ['t']), '/a?x=1&t=[hidden]&y=2');
    assert.equal(hideParams('/a?tt=1', ['t']), '/a?tt=1');
  });
});
