import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineWriter } from '../../../src/telemetry/line-writer.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

/** A file whose writes end when the test says so. */
class SlowFile {
  readonly clock = new ManualClock();
  readonly errors: Error[] = [];
  readonly writer = new LineWriter(7, { clock: this.clock, files: this, onError: (error) => this.errors.push(error) });
  text = '';
  writes = 0;
  /** What the next synchronous writes throw. */
  readonly refusals: Error[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #done: ((error: Error | null, written: number) => void) | undefined;

  get isBusy(): boolean {
    return this.#done !== undefined;
  }

  write(fd: number, bytes: Buffer, done: (error: Error | null, written: number) => void): void {
    assert.equal(fd, 7);
    assert.equal(this.#done, undefined, 'one write at a time');
    this.writes++;
    this.#bytes = bytes;
    this.#done = done;
  }

  writeSync(_fd: number, bytes: Buffer): number {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.text += bytes.toString();
    return bytes.length;
  }

  /** Ends the write that is on its way. @param count bytes that the file took */
  finish(count = this.#bytes.length): void {
    this.#end(null, count);
  }

  fail(code: string): void {
    this.#end(systemError(code), 0);
  }

  #end(error: Error | null, count: number): void {
    const done = this.#done;
    this.#done = undefined;
    this.text += this.#bytes.subarray(0, count).toString();
    done?.(error, count);
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('the writer of a log', () => {
  it('writes a line after a pause at once', () => {
    const file = new SlowFile();
    file.writer.write('one\n');
    assert.equal(file.isBusy, true);
    file.finish();
    file.clock.advance(1000);
    file.writer.write('two\n');
    file.finish();
    assert.equal(file.text, 'one\ntwo\n');
  });

  it('keeps the lines that follow for a tenth of a second, and writes them with one write', () => {
    const file = new SlowFile();
    file.writer.write('0\n');
    file.finish();
    for (let index = 1; index <= 50; index++) file.writer.write(`${index}\n`);
    assert.equal(file.isBusy, false);
    file.clock.advance(100);
    file.finish();
    assert.equal(file.writes, 2);
    assert.equal(file.text, Array.from({ length: 51 }, (_, index) => `${index}\n`).join(''));
  });

  it('waits for no time when there is enough for a write, and keeps the order', () => {
    const file = new SlowFile();
    const lines = Array.from({ length: 1000 }, (_, index) => `${index} ${'x'.repeat(100)}\n`);
    for (const line of lines) {
      file.writer.write(line);
      if (file.isBusy) file.finish();
    }
    assert.ok(file.writes >= 6 && file.writes <= 9, `${file.writes} writes`);
    file.clock.advance(100);
    file.finish();
    assert.equal(file.text, lines.join(''));
  });

  it('goes on after a write that took only a part, and after one that a full pipe refused', () => {
    const file = new SlowFile();
    file.writer.write('lines\n');
    file.finish(2);
    file.fail('EAGAIN');
    assert.equal(file.isBusy, false);
    file.clock.advance(100);
    file.finish();
    assert.equal(file.text, 'lines\n');
    assert.deepEqual(file.errors, []);
  });

  it('tells of a write that failed, and writes the next lines', () => {
    const file = new SlowFile();
    file.writer.write('one\n');
    file.fail('ENOSPC');
    file.writer.write('two\n');
    file.clock.advance(100);
    file.finish();
    assert.equal(file.text, 'two\n');
    assert.deepEqual(
      file.errors.map(({ message }) => message),
      ['ENOSPC'],
    );
  });

  it('drops whole lines while a file takes nothing, rather than hold more than four mebibytes', () => {
    const file = new SlowFile();
    const line = `${'x'.repeat(999)}\n`;
    for (let index = 0; index < 10_000; index++) file.writer.write(line);
    for (let turns = 0; file.isBusy && turns < 1000; turns++) file.finish();
    file.clock.advance(100);
    while (file.isBusy) file.finish();
    assert.ok(file.text.length > 4e6 && file.text.length < 4.3e6);
    assert.equal(file.text.replaceAll(line, ''), '');
  });

  it('has written what waited when the process ends', () => {
    const file = new SlowFile();
    file.writer.write('one\n');
    file.finish();
    file.writer.write('two\n');
    file.refusals.push(systemError('EAGAIN'));
    file.writer.flushSync();
    assert.equal(file.text, 'one\ntwo\n');
    file.clock.advance(100);
    assert.equal(file.isBusy, false);
  });

  it('does not hold up the end of a process for a file that takes nothing', () => {
    const file = new SlowFile();
    file.writer.write('one\n');
    file.writer.write('two\n');
    file.refusals.push(...Array.from({ length: 100 }, () => systemError('EAGAIN')));
    file.writer.flushSync();
    assert.ok(file.refusals.length > 80);
    file.refusals.splice(0, 100, systemError('EPIPE'));
    file.writer.write('three\n');
    file.writer.flushSync();
    assert.equal(file.text, '');
  });

  it('lets its file be closed when no write is on its way any more, and takes no line after its end', () => {
    const file = new SlowFile();
    let isClosed = false;
    file.writer.write('one\n');
    file.writer.end(() => {
      isClosed = true;
    });
    file.writer.write('two\n');
    assert.equal(isClosed, false);
    file.finish();
    assert.equal(isClosed, true);
    file.clock.advance(1000);
    assert.equal(file.text, 'one\n');
  });
});
