import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { tarArchive } from '../../../src/cli/bug-report/tar.ts';

describe('an archive', () => {
  const files = [
    { name: 'a/empty.txt', content: Buffer.alloc(0) },
    { name: 'a/block.txt', content: Buffer.alloc(512, 'x') },
    { name: 'b.txt', content: Buffer.from('fünf\n') },
  ];
  const archive = tarArchive(files, Date.UTC(2026, 0, 2));
  const tar = (...args: readonly string[]) => execFileSync('tar', args, { input: archive, encoding: 'utf8' });

  it('is read by tar', () => {
    assert.deepEqual(tar('tf', '-').trim().split('\n'), ['a/empty.txt', 'a/block.txt', 'b.txt']);
    assert.equal(tar('xOf', '-', 'b.txt'), 'fünf\n');
    assert.equal(tar('xOf', '-', 'a/block.txt').length, 512);
    assert.match(tar('tvf', '-', '--utc'), /^-rw-r--r-- 0\/0 .* 2026-01-02 00:00 a\/empty\.txt/);
  });
});
