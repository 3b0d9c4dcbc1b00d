import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compactHeap, MAX_COMPACTED_HEAP_BYTES } from '../../../src/ztunnel/compact-heap.ts';

describe('the compaction of a heap', () => {
  it('asks V8 once for everything it can give back', () => {
    const asked: unknown[] = [];
    const collect = ((options: unknown) => void asked.push(options)) as NodeJS.GCFunction;
    assert.equal(compactHeap({ collect, heapBytes: () => MAX_COMPACTED_HEAP_BYTES }), true);
    assert.deepEqual(asked, [{ type: 'major', execution: 'sync', flavor: 'last-resort' }]);
  });

  it('leaves a large heap alone, because the thread would stand still too long', () => {
    const collect = (() => assert.fail('collected')) as unknown as NodeJS.GCFunction;
    assert.equal(compactHeap({ collect, heapBytes: () => MAX_COMPACTED_HEAP_BYTES + 1 }), false);
  });

  it('does nothing in a process that does not let it', () => {
    assert.equal(compactHeap({ collect: undefined, heapBytes: () => 0 }), false);
  });
});
