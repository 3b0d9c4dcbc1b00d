/** Files that lines of access logs go to; each is opened once, written behind the back of requests, and bounded. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { LineWriter } from '../../telemetry/line-writer.ts';

/** A pipe that nobody reads is an error, and nothing to wait for. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const STANDARD: ReadonlyMap<string, number> = new Map([
  ['/dev/stdout', 1],
  ['/dev/stderr', 2],
]);

interface OpenFile {
  readonly lines: LineWriter;
  close(): void;
}

export class LineFiles {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #files = new Map<string, OpenFile>();
  /** Why a file could not be written the last time: each reason is logged once. */
  readonly #failures = new Map<string, string>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Takes lines for the file, without their end. */
  of(path: string): (line: string) => void {
    const file = this.#files.get(path) ?? this.#open(path);
    if (file === undefined) return () => undefined;
    return (line) => file.lines.write(`${line}\n`);
  }

  stop(): void {
    for (const { lines, close } of this.#files.values()) lines.end(close);
    this.#files.clear();
  }

  /** Where it cannot be opened, another try comes with the next change of the configuration. */
  #open(path: string): OpenFile | undefined {
    const standard = STANDARD.get(path);
    let fd: number;
    try {
      fd = standard ?? openSync(path, APPEND);
    } catch (error) {
      this.#failed(path, errorText(error));
      return undefined;
    }
    const onError = (error: Error) => this.#failed(path, errorText(error));
    const lines = new LineWriter(fd, { clock: this.#clock, onError });
    const file = { lines, close: () => (standard === undefined ? closeSync(fd) : undefined) };
    this.#files.set(path, file);
    return file;
  }

  #failed(path: string, reason: string): void {
    if (this.#failures.get(path) === reason) return;
    this.#failures.set(path, reason);
    this.#logger.warn('an access log cannot be written', { path, reason });
  }
}
