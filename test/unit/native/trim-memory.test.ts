import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const MIB = 1024 * 1024;
const SOCKETS = join(import.meta.dirname, '../../../src/native/sockets.ts');

/** Pieces of 20 KB are freed behind one that is not; prints resident memory before and after giving back. */
const PROGRAM = `
  import { trimMemory } from ${JSON.stringify(SOCKETS)};
  let pieces = Array.from({ length: 4000 }, () => Buffer.allocUnsafeSlow(20_000).fill(1));
  const last = Buffer.allocUnsafeSlow(20_000).fill(1);
  pieces = undefined;
  const end = Date.now() + 20_000;
  while (process.memoryUsage().arrayBuffers > 1_000_000 && Date.now() < end) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const before = process.memoryUsage.rss();
  const isLess = trimMemory();
  console.log(JSON.stringify({ before, isLess, after: process.memoryUsage.rss(), last: last.length }));
`;

describe('memory that is free in the C library', () => {
  it('goes back to the system when it is asked for', () => {
    // As bin/ambit starts proxies: nothing goes back by itself.
    const env = { ...process.env, MALLOC_TRIM_THRESHOLD_: '1000000000', MALLOC_MMAP_THRESHOLD_: '33554432' };
    const flags = ['--expose-gc', '--input-type=module', '--disable-warning=ExperimentalWarning'];
    const text = execFileSync(process.execPath, [...flags, '-e', PROGRAM], { encoding: 'utf8', env });
    const { before, after, isLess } = JSON.parse(text);
    assert.equal(isLess, true);
    assert.ok(before - after > 40 * MIB, `${before} bytes became ${after}`);
  });
});
