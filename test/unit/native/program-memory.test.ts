import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keepProgramSmall } from '../../../src/native/program-memory.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const MODULE = join(import.meta.dirname, '../../../src/native/program-memory.ts');

/** Prints how much of files is resident, in KiB, before and after, and that everything still works. */
const PROGRAM = `
  import { readFileSync } from 'node:fs';
  import { releaseProgram } from ${JSON.stringify(MODULE)};
  import { createHash } from 'node:crypto';
  const fileKib = () => Number(/RssFile:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const work = () => createHash('sha256').update(JSON.stringify(Intl.DateTimeFormat('de').format(0))).digest('hex');
  const [first, before] = [work(), fileKib()];
  const results = [];
  for (let round = 0; round < 20; round++) {
    results.push(releaseProgram() && work() === first);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const isReleased = releaseProgram();
  console.log(JSON.stringify({ before, after: fileKib(), isReleased, isWell: results.every(Boolean) }));
`;

/** Prints how much of V8's own mapping for a thread is resident, in KiB, before and after. */
const THREAD = `
  import { readFileSync } from 'node:fs';
  import { Worker } from 'node:worker_threads';
  import { releaseProgram } from ${JSON.stringify(MODULE)};
  const EXECUTABLE = /^(\\S+) r-xp .*\\/node\\n(?:[A-Z].*\\n)*?Rss: +(\\d+)/gm;
  const residentKib = () => {
    const shown = readFileSync('/proc/self/smaps', 'utf8').matchAll(EXECUTABLE);
    return new Map(Array.from(shown, ([, range, kib]) => [range, Number(kib)]));
  };
  const own = residentKib();
  const program = 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => 0).postMessage(1)';
  const worker = new Worker(program, { eval: true });
  await new Promise((resolve) => worker.once('message', resolve));
  const ofThread = () => [...residentKib()].filter(([range]) => !own.has(range)).reduce((sum, [, kib]) => sum + kib, 0);
  const before = ofThread();
  releaseProgram();
  console.log(JSON.stringify({ before, after: ofThread() }));
  process.exit();
`;

describe('the memory of the program itself', () => {
  it('is given up where it is not used, and comes back where it is', () => {
    const flags = ['--input-type=module', '--disable-warning=ExperimentalWarning'];
    const text = execFileSync(process.execPath, [...flags, '-e', PROGRAM], { encoding: 'utf8' });
    const { before, after, isReleased, isWell } = JSON.parse(text);
    assert.deepEqual([isReleased, isWell], [true, true]);
    assert.ok(after < before / 2, `${before} KiB became ${after}`);
  });

  it('is given up without what is mapped for a thread, which is something else once that has ended', () => {
    const flags = ['--input-type=module', '--disable-warning=ExperimentalWarning'];
    const text = execFileSync(process.execPath, [...flags, '-e', THREAD], { encoding: 'utf8' });
    const { before, after } = JSON.parse(text);
    assert.ok(before > 0 && after >= before, `${before} KiB became ${after}`);
  });

  it('is given up when a start is over, and again every five minutes', () => {
    const clock = new ManualClock();
    let times = 0;
    keepProgramSmall(clock, () => {
      times += 1;
      return true;
    });
    clock.advance(14_999);
    assert.equal(times, 0);
    clock.advance(1);
    clock.advance(299_999);
    assert.equal(times, 1);
    clock.advance(1);
    assert.equal(times, 2);
  });
});
