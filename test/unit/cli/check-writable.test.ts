import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkWritable } from '../../../src/cli/check-writable.ts';

describe('a file that is to be written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-writable-'));
  after(() => rmSync(folder, { recursive: true }));

  it('may be new, or there', () => {
    const path = join(folder, 'report');
    checkWritable(path);
    writeFileSync(path, '');
    checkWritable(path);
  });

  it('is refused in a folder that is not there, and where a folder is', () => {
    assert.throws(
      () => checkWritable(join(folder, 'none', 'report')),
      /there is no folder \S+none; -f names another file/,
    );
    assert.throws(() => checkWritable(folder), /cannot be written: it is a folder/);
  });
});
