import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RunFolder, writeState } from '../../../src/local/run-folder.ts';
import { eventually } from '../../helpers/eventually.ts';

const GUARD_URL = new URL('../../../src/local/run-guard.ts', import.meta.url).href;
const FOLDER_URL = new URL('../../../src/local/run-folder.ts', import.meta.url).href;
const OWNER = { pid: 4_000_001, startTime: '77' };
const root = mkdtempSync(join(tmpdir(), 'ambit-guard-'));
after(() => rmSync(root, { recursive: true, force: true }));

function claimed(name: string, owner = OWNER): RunFolder {
  const folder = new RunFolder(join(root, name));
  folder.claim({ ...owner, initPid: 0, userNamespace: false, folder: '/x', nodes: [], pods: [] });
  return folder;
}

/** A process that sets up a guard and then does what `then` says. */
async function supervisor(folder: RunFolder, keepLogs: boolean, then: string): Promise<void> {
  const script = `
    import { guardRun } from '${GUARD_URL}';
    import { RunFolder } from '${FOLDER_URL}';
    const guard = guardRun({ folder: new RunFolder(${JSON.stringify(folder.path)}), owner: ${JSON.stringify(OWNER)}, keepLogs: ${keepLogs} });
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (then.includes('up')) {
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
  }
  await once(child, 'exit');
}

const STAYS_UP = `console.log('up'); setInterval(() => undefined, 1000);`;

describe('the guard of a run folder', () => {
  it('removes it when the supervisor is killed', async () => {
    const folder = claimed('killed');
    await supervisor(folder, false, STAYS_UP);
    await eventually('the folder is gone', () => !existsSync(folder.path));
  });

  it('leaves the logs when they are to be kept', async () => {
    const folder = claimed('logs');
    await supervisor(folder, true, STAYS_UP);
    await eventually('all but the logs is gone', () => readdirSync(folder.path).join() === 'logs');
  });

  it('does nothing once it was dismissed, and nothing to a folder that has another owner by now', async () => {
    const dismissed = claimed('dismissed');
    await supervisor(dismissed, false, 'guard.dismiss();');
    const taken = claimed('taken');
    const { pid, startTime } = { pid: 4_000_002, startTime: '78' };
    writeState(taken, { pid, startTime, initPid: 0, userNamespace: false, folder: '/x', nodes: [], pods: [] });
    await supervisor(taken, false, STAYS_UP);
    await delay(500);
    assert.ok(existsSync(dismissed.statePath));
    assert.ok(existsSync(taken.statePath));
  });
});
