import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDurationMs } from '../../../src/base/duration.ts';

describe('a duration', () => {
  for (const [text, expected] of [
    ['250ms', 250],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    [' 2d ', 172_800_000],
    ['0', 0],
    ['', undefined],
    ['5', undefined],
    ['-1s', undefined],
    ['1s 2s', undefined],
    ['1x', undefined],
    ['.5s', undefined],
  ] as const) {
    it(`"${text}" is ${expected ?? 'none'}`, () => assert.equal(parseDurationMs(text), expected));
  }
});
