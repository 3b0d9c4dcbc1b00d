import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { followRemarks } from '../../../src/local/follow-remarks.ts';

it('remarks of a status file are told when it is there, and when it was replaced', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-remarks-'));
  const path = join(folder, 'status.json');
  const write = (note: string) => {
    writeFileSync(`${path}.tmp`, JSON.stringify({ accepted: [{ object: 'Node//a', note }] }));
    renameSync(`${path}.tmp`, path);
  };
  const lines: string[] = [];
  const second = Promise.withResolvers<void>();
  write('first');
  const onRemark = (line: string) => {
    lines.push(line);
    if (lines.length === 2) second.resolve();
  };
  const stop = followRemarks(path, onRemark, silentLogger);
  assert.deepEqual(lines, ['Node a: first']);
  // The watcher itself keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  write('second');
  await second.promise;
  clearInterval(alive);
  stop();
  assert.deepEqual(lines, ['Node a: first', 'Node a: second']);
  rmSync(folder, { recursive: true });
});

it('a status file that is not there yet has no remarks', () => {
  const lines: string[] = [];
  followRemarks(join(tmpdir(), 'ambit-remarks-none.json'), (line) => lines.push(line), silentLogger)();
  assert.deepEqual(lines, []);
});
