import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LineFiles } from '../../../../src/waypoint/reporting/line-files.ts';
import { eventually } from '../../../helpers/eventually.ts';

describe('LineFiles', () => {
  it('appends lines to a file, and takes none when it is stopped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ambit-lines-'));
    const path = join(folder, 'access.log');
    const files = new LineFiles(silentLogger, systemClock);
    const write = files.of(path);
    write('one');
    files.of(path)('two');
    await eventually('the lines', () => readFileSync(path, 'utf8') === 'one\ntwo\n');
    files.stop();
    write('three');
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
    rmSync(folder, { recursive: true });
  });

  it('says once that a file cannot be written, and goes on', () => {
    const lines: object[] = [];
    const files = new LineFiles({ ...silentLogger, warn: (_, fields) => void lines.push(fields ?? {}) }, systemClock);
    const write = files.of('/nowhere/at/all.log');
    for (let count = 0; count < 10; count++) write('more');
    files.of('/nowhere/at/all.log')('again');
    files.stop();
    assert.equal(lines.length, 1);
    assert.match(JSON.stringify(lines), /nowhere.*ENOENT/);
  });
});
