import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { idleCompaction } from '../../../src/ztunnel/idle-compaction.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const MIB = 1024 * 1024;

function setUp() {
  const clock = new ManualClock();
  const thread = { heapBytes: 20 * MIB, busyShare: 0, compacted: 0 };
  const compaction = idleCompaction(clock, {
    heapBytes: () => thread.heapBytes,
    busyShare: () => thread.busyShare,
    compact: () => {
      thread.compacted += 1;
      thread.heapBytes = 10 * MIB;
      return true;
    },
  });
  compaction.start();
  return { clock, thread, compaction };
}

describe('the heap of a thread that has nothing to do', () => {
  it('is compacted once, and again when it has grown', () => {
    const { clock, thread } = setUp();
    clock.advance(60_000);
    assert.equal(thread.compacted, 1);
    thread.heapBytes += 2 * MIB;
    clock.advance(60_000);
    assert.equal(thread.compacted, 1, 'little is not worth it');
    thread.heapBytes += 2 * MIB;
    clock.advance(60_000);
    assert.equal(thread.compacted, 2);
  });

  it('is left alone while the thread is at work', () => {
    const { clock, thread } = setUp();
    thread.busyShare = 0.05;
    clock.advance(60_000);
    assert.equal(thread.compacted, 0);
    thread.busyShare = 0.01;
    clock.advance(10_000);
    assert.equal(thread.compacted, 1);
  });

  it('is left alone when the thread ends', () => {
    const { clock, thread, compaction } = setUp();
    compaction.stop();
    clock.advance(60_000);
    assert.equal(thread.compacted, 0);
  });
});
