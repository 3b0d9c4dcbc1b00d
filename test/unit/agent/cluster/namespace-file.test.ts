import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { NamespaceFile, namespaceFileText } from '../../../../src/agent/cluster/namespace-file.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

describe('NamespaceFile', () => {
  let folder = '';
  let clock = new ManualClock();
  let namespaces = new Map<string, boolean>();
  const create = (path: string) => new NamespaceFile(path, { clock, log: silentLogger, namespaces: () => namespaces });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'namespaces-'));
    clock = new ManualClock();
    namespaces = new Map([
      ['shop', true],
      ['default', false],
    ]);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('names each namespace in the format that the plugin reads', () => {
    assert.equal(namespaceFileText(namespaces), 'ambit-namespaces 1\nplain default\nenrolled shop\n');
  });

  it('writes once for several changes, and nothing when nothing has changed', async () => {
    const path = join(folder, 'state', 'namespaces');
    const file = create(path);
    await file.flush();
    namespaces.set('default', true);
    file.changed();
    file.changed();
    assert.equal(clock.waitingMs.length, 1);
    clock.advance(50);
    await file.flush();
    assert.match(readFileSync(path, 'utf8'), /enrolled default/);
    writeFileSync(path, 'left alone');
    await file.flush();
    assert.equal(readFileSync(path, 'utf8'), 'left alone');
    assert.deepEqual(readdirSync(join(folder, 'state')), ['namespaces']);
  });

  it('says why it cannot be written, and tries again', async () => {
    const blocked = join(folder, 'state');
    writeFileSync(blocked, 'a file in the place of the folder');
    const file = create(join(blocked, 'namespaces'));
    await file.flush();
    assert.match(file.problem ?? '', /cannot be written/);
    rmSync(blocked);
    clock.advance(5000);
    await file.flush();
    assert.equal(file.problem, undefined);
    assert.match(readFileSync(join(blocked, 'namespaces'), 'utf8'), /plain default/);
  });
});
