/** Files that lines of access logs go to; each is opened once, written behind the back of requests, and bounded. */
import { constants, openSync } from 'node:fs';
import { pino } from 'pino';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';

type Destination = ReturnType<typeof pino.destination>;

/** Lines kept while a file is slow; more are dropped rather than held without bound. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** A pipe that nobody reads is an error, and nothing to wait for. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const STANDARD: ReadonlyMap<string, number> = new Map([
  ['/dev/stdout', 1],
  ['/dev/stderr', 2],
]);

export class LineFiles {
  #stopped = false;
  readonly #logger: Logger;
  readonly #files = new Map<string, Destination>();
  /** Why a file could not be written the last time: each reason is logged once. */
  readonly #failures = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Takes lines for the file, without their end. */
  of(path: string): (line: string) => void {
    const file = this.#files.get(path) ?? this.#open(path);
    if (file === undefined) return () => undefined;
    return (line) => {
      if (!this.#stopped) file.write(`${line}\n`);
    };
  }

  stop(): void {
    this.#stopped = true;
    for (const file of this.#files.values()) file.flush(() => file.destroy());
    this.#files.clear();
  }

  /** Where it cannot be opened, another try comes with the next change of the configuration. */
  #open(path: string): Destination | undefined {
    let fd: number;
    try {
      fd = STANDARD.get(path) ?? openSync(path, APPEND);
    } catch (error) {
      this.#failed(path, errorText(error));
      return undefined;
    }
    const file = pino.destination({ fd, sync: false, maxLength: MAX_BUFFERED_BYTES });
    file.on('error', (error: unknown) => this.#failed(path, errorText(error)));
    this.#files.set(path, file);
    return file;
  }

  #failed(path: string, reason: string): void {
    if (this.#failures.get(path) === reason) return;
    this.#failures.set(path, reason);
    this.#logger.warn('an access log cannot be written', { path, reason });
  }
}
