import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseGatewayDuration } from '../../../../src/model/manifest/gateway-duration.ts';

describe('a duration of the Gateway API', () => {
  it('is a sum of hours, minutes, seconds and milliseconds', () => {
    const texts = ['0s', '10s', '500ms', '1m30s', '1h2m3s4ms', '99999ms'];
    assert.deepEqual(texts.map(parseGatewayDuration), [0, 10_000, 500, 90_000, 3_723_004, 99_999]);
  });

  it('has no fractions, signs, other units, nor more than five digits', () => {
    for (const text of ['', '1', 's', '1.5s', '-1s', '1d', '100000ms', ' 1s', '1s1s1s1s1s']) {
      assert.equal(parseGatewayDuration(text), undefined, text);
    }
  });
});
