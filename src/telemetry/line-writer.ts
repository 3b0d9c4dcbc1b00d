/**
 * Writes the lines of a log into a file, several at a time: a write of its own for every request is a wake-up of another
 * thread and one back, which costs more than the line does. The first line after a pause is written at once; those that
 * follow it wait until there are enough of them, or for a tenth of a second.
 *
 * Invariants: one write is on its way at a time; what waits is bounded, and a line that finds no room is dropped whole.
 */
import { write, writeSync } from 'node:fs';
import type { Clock, Timer } from '../base/clock.ts';
import { systemErrorCode } from '../base/errors.ts';

const HELD_MS = 100;
/** Enough for a write, and about the most of one: container runtimes read so much at a time. */
const BATCH_CHARS = 16 * 1024;
const MAX_WAITING_CHARS = 4 * 1024 * 1024;
/** Times that a full pipe is waited for when the process ends, each so long. */
const LAST_TRIES = 10;
const LAST_PAUSE_MS = 10;

/** The part of node:fs that is used, for tests. */
export interface FileCalls {
  write(fd: number, bytes: Buffer, done: (error: Error | null, written: number) => void): void;
  writeSync(fd: number, bytes: Buffer): number;
}

export interface LineWriterDeps {
  readonly clock: Clock;
  /** Called when a write fails; what it was to write is lost. */
  readonly onError?: (error: Error) => void;
  readonly files?: FileCalls;
}

export class LineWriter {
  readonly #fd: number;
  readonly #clock: Clock;
  readonly #onError: (error: Error) => void;
  readonly #files: FileCalls;
  /** Lines put together to what one write takes. */
  readonly #batches: string[] = [];
  #waitingChars = 0;
  #isWriting = false;
  #isEnded = false;
  #onEnd: () => void = () => undefined;
  #timer: Timer | undefined;

  constructor(fd: number, { clock, onError = () => undefined, files = { write, writeSync } }: LineWriterDeps) {
    this.#fd = fd;
    this.#clock = clock;
    this.#onError = onError;
    this.#files = files;
  }

  /** @param line with its line break */
  write(line: string): void {
    if (this.#isEnded || this.#waitingChars + line.length > MAX_WAITING_CHARS) return;
    this.#add(line);
    if (this.#timer === undefined || this.#waitingChars >= BATCH_CHARS) this.#next();
  }

  /** Writes what waits before it returns, as far as the file takes it: for the end of a process or thread. */
  flushSync(): void {
    let triesLeft = LAST_TRIES;
    for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
      let bytes = Buffer.from(batch);
      while (bytes.length > 0) {
        try {
          bytes = bytes.subarray(this.#files.writeSync(this.#fd, bytes));
        } catch (error) {
          if (!isBusy(error) || triesLeft-- === 0) return;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_PAUSE_MS);
        }
      }
    }
  }

  /** Takes no more lines. @param onEnd called when no write is on its way any more, and the file may be closed */
  end(onEnd: () => void): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.flushSync();
    if (this.#isWriting) this.#onEnd = onEnd;
    else onEnd();
  }

  #add(line: string): void {
    const last = this.#batches.length - 1;
    const batch = this.#batches[last];
    if (batch === undefined || batch.length + line.length > BATCH_CHARS) this.#batches.push(line);
    else this.#batches[last] = batch + line;
    this.#waitingChars += line.length;
  }

  #take(): string | undefined {
    const batch = this.#batches.shift();
    this.#waitingChars -= batch?.length ?? 0;
    return batch;
  }

  #next(): void {
    if (this.#isWriting) return;
    const batch = this.#take();
    if (batch === undefined) return;
    this.#isWriting = true;
    this.#timer ??= this.#clock.after(HELD_MS, () => this.#pauseEnded());
    this.#write(Buffer.from(batch));
  }

  #pauseEnded(): void {
    this.#timer = undefined;
    this.#next();
  }

  #write(bytes: Buffer): void {
    this.#files.write(this.#fd, bytes, (error, written) => {
      if (isBusy(error)) this.#clock.after(HELD_MS, () => this.#write(bytes));
      else if (error === null && written < bytes.length) this.#write(bytes.subarray(written));
      else this.#written(error);
    });
  }

  #written(error: Error | null): void {
    this.#isWriting = false;
    if (error !== null) this.#onError(error);
    if (this.#isEnded) this.#onEnd();
    else if (this.#timer === undefined || this.#waitingChars >= BATCH_CHARS) this.#next();
  }
}

/** A pipe without room that does not let its writer wait. */
function isBusy(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'EAGAIN' || code === 'EBUSY';
}
