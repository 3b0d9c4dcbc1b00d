import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { describe, it } from 'node:test';

const AMBIT = new URL('../../../src/bin/ambit.ts', import.meta.url).pathname;

describe('output that cannot be written', () => {
  it('is said in one line, with status 1', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [AMBIT, 'completion', 'bash'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 1);
    assert.match(stderr, /^ambit: the output cannot be written: ENOSPC[^\n]*\n$/);
  });
});
