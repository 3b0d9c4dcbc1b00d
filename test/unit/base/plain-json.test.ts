import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainJson } from '../../../src/base/plain-json.ts';

describe('a decoded message as JSON', () => {
  it('has objects for maps, text for bytes, and nothing for what is empty', () => {
    const message = {
      labels: new Map([['app', 'shop']]),
      body: Buffer.from('hello'),
      noText: Buffer.from([0xff, 0xfe]),
      big: 12n,
      none: undefined,
      off: false,
      list: [],
      zero: 0,
    };
    assert.deepEqual(plainJson(message), {
      labels: { app: 'shop' },
      body: 'hello',
      noText: '//4=',
      big: '12',
      zero: 0,
    });
  });

  it('masks the values of headers that carry credentials, and of no others', () => {
    const set = [
      { name: 'Authorization', value: 'Bearer abc' },
      { name: 'x-api-key', value: 'abc' },
      { name: 'x-version', value: 'v2' },
    ];
    assert.deepEqual(plainJson({ set }), {
      set: [
        { name: 'Authorization', value: '<redacted>' },
        { name: 'x-api-key', value: '<redacted>' },
        { name: 'x-version', value: 'v2' },
      ],
    });
  });
});
