import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  isAlive,
  livingRuns,
  processStartTime,
  type RunState,
  readState,
  runFolderBase,
  runFolderOf,
  writeState,
} from '../../../src/local/run-folder.ts';

const base = mkdtempSync(join(tmpdir(), 'ambit-run-folder-'));
after(() => rmSync(base, { recursive: true, force: true }));

function state(fields: Partial<RunState> = {}): RunState {
  const startTime = processStartTime(process.pid) ?? '';
  return {
    pid: process.pid,
    startTime,
    initPid: 0,
    userNamespace: false,
    folder: '/x',
    nodes: [],
    pods: [],
    ...fields,
  };
}

describe('a run folder', () => {
  it('is claimed by one living process', () => {
    const folder = runFolderOf(base, 'one');
    folder.claim(state());
    assert.throws(() => folder.claim(state()), { code: 'RUN_ALREADY_UP' });
    assert.deepEqual(
      livingRuns(base).map(({ name }) => name),
      ['one'],
    );
  });

  it('is taken over from a dead process, with nothing of it left', () => {
    const folder = runFolderOf(base, 'two');
    folder.claim(state());
    writeFileSync(join(folder.logs, 'old.log'), 'x');
    writeState(folder, state({ startTime: 'of a former process' }));
    folder.claim(state());
    assert.ok(!existsSync(join(folder.logs, 'old.log')));
  });

  it('keeps its logs when asked to', () => {
    const folder = runFolderOf(base, 'three');
    folder.claim(state());
    writeFileSync(join(folder.logs, 'a.log'), 'x');
    folder.clear(true);
    assert.ok(existsSync(join(folder.logs, 'a.log')));
    assert.equal(readState(folder), undefined);
    folder.clear(false);
    assert.ok(!existsSync(folder.path));
  });

  it('reads no state from a file that is cut off', () => {
    const folder = runFolderOf(base, 'four');
    folder.claim(state());
    writeFileSync(folder.statePath, JSON.stringify(state()).slice(0, -5));
    assert.equal(readState(folder), undefined);
  });

  it('has a name that cannot leave its place', () => {
    for (const name of ['../x', 'a/b', '', 'A', '-a', 'a'.repeat(41)]) {
      assert.throws(() => runFolderOf(base, name), { code: 'RUN_NAME_INVALID' }, name);
    }
  });

  it('is not made where others can write', () => {
    const open = mkdtempSync(join(base, 'open-'));
    const own = runFolderBase(open, process.getuid?.() ?? 0);
    chmodSync(own, 0o777);
    assert.throws(() => runFolderBase(open, process.getuid?.() ?? 0), { code: 'RUN_FOLDER_UNSAFE' });
  });
});

describe('isAlive', () => {
  it('takes a process id that is used again for another process', () => {
    assert.equal(isAlive(state()), true);
    assert.equal(isAlive(state({ startTime: '1' })), false);
  });
});
