/**
 * Small files that may change, read again when they did. Nothing watches them: who wants a text looks, at most so often.
 *
 * Invariant: a name that leads to something else than a small regular file costs neither memory nor time.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';

interface Kept {
  readonly text: Result<string, Error>;
  readonly lookedMs: number;
}

const MAX_FILES = 1000;
const MAX_BYTES = 1024 * 1024;
const LOOK_AGAIN_MS = 1000;

export class FileTexts {
  readonly #clock: Clock;
  readonly #kept = new LRUCache<string, Kept>({ max: MAX_FILES });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The text, not older than a second. A failure names the cause, never the content. */
  async read(path: string): Promise<Result<string, Error>> {
    const lookedMs = this.#clock.monotonicMs();
    const kept = this.#kept.get(path);
    if (kept !== undefined && lookedMs - kept.lookedMs < LOOK_AGAIN_MS) return kept.text;
    const text = await readSmall(path);
    this.#kept.set(path, { text, lookedMs });
    return text;
  }

  /** Reads it again the next time, however soon. */
  forget(path: string): void {
    this.#kept.delete(path);
  }
}

async function readSmall(path: string): Promise<Result<string, Error>> {
  try {
    // Without O_NONBLOCK, to open a pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return fail(new Error('it is no regular file'));
      if (stats.size > MAX_BYTES) return fail(new Error(`it is larger than ${MAX_BYTES} bytes`));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return bytesRead === 0 ? fail(new Error('it is empty')) : ok(buffer.toString('utf8', 0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    return fail(error instanceof Error ? error : new Error(String(error)));
  }
}
