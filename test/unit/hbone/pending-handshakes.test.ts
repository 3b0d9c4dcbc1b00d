import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PendingHandshakes } from '../../../src/hbone/pending-handshakes.ts';

describe('pending handshakes', () => {
  it('push out the oldest above their limit, never one that is done', () => {
    const pending = new PendingHandshakes(3);
    const given: number[] = [];
    const leave = [1, 2, 3].map((number) => pending.enter(() => given.push(number)));
    leave[0]?.();
    pending.enter(() => given.push(4));
    assert.equal(given.length, 0);
    pending.enter(() => given.push(5));
    assert.deepEqual([given, pending.size], [[2], 3]);
    leave[1]?.();
    pending.clear();
    assert.deepEqual([given, pending.size], [[2, 3, 4, 5], 0]);
  });
});
