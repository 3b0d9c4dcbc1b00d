import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecordMemory } from '../../../src/hbone/record-memory.ts';

describe('the memory of tunnels', () => {
  it('is the same again when it was given back, by size', () => {
    const memory = new RecordMemory();
    const [small, large] = [memory.take(100), memory.take(100_000)];
    assert.ok(small.length >= 100 && large.length >= 100_000);
    memory.giveBack(small);
    memory.giveBack(large);
    assert.equal(memory.take(8000), small);
    assert.equal(memory.take(memory.readBuffer.length), large);
  });

  it('is as much as was asked for, also where that is more than one read brings', () => {
    const memory = new RecordMemory();
    const bytes = memory.readBuffer.length + 1;
    const huge = memory.take(bytes);
    assert.ok(huge.length >= bytes);
    memory.giveBack(huge);
    assert.equal(memory.take(memory.readBuffer.length).length, memory.readBuffer.length);
  });

  it('is never shared by two that hold it', () => {
    const memory = new RecordMemory();
    const [one, other] = [memory.take(100_000), memory.take(100_000)];
    assert.notEqual(one.buffer, other.buffer);
    memory.giveBack(one);
    memory.giveBack(other);
    assert.notEqual(memory.take(100_000), memory.take(100_000));
  });
});
