import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { idleTrim } from '../../../src/ztunnel/idle-trim.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const MIB = 1024 * 1024;

function setUp() {
  const clock = new ManualClock();
  const used = { residentBytes: 100 * MIB, cpuMs: 5000, trimmed: 0 };
  const trim = idleTrim(clock, {
    residentBytes: () => used.residentBytes,
    cpuMs: () => used.cpuMs,
    trim: () => {
      used.trimmed += 1;
      used.residentBytes = 90 * MIB;
    },
  });
  trim.start();
  return { clock, used, trim };
}

describe('the memory of a process that has nothing to do', () => {
  it('is given back once, and again when it has grown', () => {
    const { clock, used } = setUp();
    clock.advance(60_000);
    assert.equal(used.trimmed, 1);
    used.residentBytes += 3 * MIB;
    clock.advance(60_000);
    assert.equal(used.trimmed, 1, 'little is not worth it');
    used.residentBytes += 3 * MIB;
    clock.advance(60_000);
    assert.equal(used.trimmed, 2);
  });

  it('is given back again when a heap was compacted, whose buffers are free only then', () => {
    const { clock, used } = setUp();
    clock.advance(10_000);
    used.residentBytes -= 20 * MIB;
    clock.advance(10_000);
    assert.equal(used.trimmed, 2);
  });

  it('is left alone while any thread is at work', () => {
    const { clock, used } = setUp();
    for (let look = 0; look < 6; look++) {
      used.cpuMs += 500;
      clock.advance(10_000);
    }
    assert.equal(used.trimmed, 0);
    used.cpuMs += 50;
    clock.advance(10_000);
    assert.equal(used.trimmed, 1);
  });

  it('is left alone without the addon', () => {
    const folder = mkdtempSync(join(tmpdir(), 'no-addon-'));
    cpSync(join(import.meta.dirname, '../../../src'), join(folder, 'src'), { recursive: true });
    cpSync(join(import.meta.dirname, '../../helpers'), join(folder, 'test/helpers'), { recursive: true });
    const program = `
      import { idleTrim } from '${folder}/src/ztunnel/idle-trim.ts';
      import { ManualClock } from '${folder}/test/helpers/manual-clock.ts';
      const clock = new ManualClock();
      idleTrim(clock).start();
      clock.advance(60_000);
      console.log('goes on');`;
    const flags = ['--input-type=module', '--disable-warning=ExperimentalWarning'];
    const output = execFileSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    assert.equal(output, 'goes on\n');
  });

  it('is left alone when the process ends', () => {
    const { clock, used, trim } = setUp();
    trim.stop();
    clock.advance(60_000);
    assert.equal(used.trimmed, 0);
  });
});
