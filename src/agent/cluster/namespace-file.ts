/**
 * The file that tells the CNI plugin which namespaces are in the mesh while the agent is away (src/cni/known-namespaces.h).
 * It replaces the one before in one step and is on disk before that, so a reboot finds the old or the new one.
 */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';

const FIRST_LINE = 'ambit-namespaces 1';
/** Changes of so long are written at once. */
const GATHER_MS = 50;
const RETRY_MS = 5000;

/** The text of the file, in the order of the names. */
export function namespaceFileText(enrolled: ReadonlyMap<string, boolean>): string {
  const names = [...enrolled.keys()].sort();
  const lines = names.map((name) => `${enrolled.get(name) === true ? 'enrolled' : 'plain'} ${name}`);
  return `${[FIRST_LINE, ...lines].join('\n')}\n`;
}

export interface NamespaceFileDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** By name: whether it is in the mesh. */
  readonly namespaces: () => ReadonlyMap<string, boolean>;
}

export class NamespaceFile {
  readonly #path: string;
  readonly #deps: NamespaceFileDeps;
  #written = '';
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  constructor(path: string, deps: NamespaceFileDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  /** Why the file is not what it should be; undefined when it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Writes the file soon when it changes. */
  changed(): void {
    this.#schedule(GATHER_MS);
  }

  /** Writes the file now when it changes; resolves when the try is over. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Takes the file away. Call `stop` before. Rejects with the error of the file system. */
  async uninstall(): Promise<void> {
    await this.#writing;
    await rm(this.#path, { force: true });
  }

  #schedule(delayMs: number): void {
    this.#timer ??= this.#deps.clock.after(delayMs, () => void this.flush());
  }

  async #write(): Promise<void> {
    const text = namespaceFileText(this.#deps.namespaces());
    if (text === this.#written) return;
    try {
      await replaceFile(this.#path, text, 0o644);
      this.#written = text;
      this.#problem = undefined;
    } catch (error) {
      this.#problem = `${this.#path} cannot be written: ${errorText(error)}`;
      this.#deps.log.error('the CNI plugin cannot be told which namespaces are outside the mesh', {
        path: this.#path,
        error: errorText(error),
      });
      this.#schedule(RETRY_MS);
    }
  }
}

/** Writes a file next to the old one and puts it in its place. Rejects with the error of the file system. */
export async function replaceFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const next = `${path}.ambit-new`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(next, 'w', mode);
    try {
      await file.writeFile(content);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true }).catch(() => undefined);
    throw error;
  }
}
