import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ageText } from '../../../src/cli/age-text.ts';

describe('a span of time', () => {
  it('has its two largest units', () => {
    assert.equal(ageText(12_400), '12s');
    assert.equal(ageText(310_000), '5m10s');
    assert.equal(ageText(3_600_000), '1h');
    assert.equal(ageText(273_600_000), '3d4h');
    assert.equal(ageText(0), '0s');
  });

  it('has a minus when it is over', () => {
    assert.equal(ageText(-61_000), '-1m1s');
  });
});
