/**
 * The revocation list of `CRL_PATH`, followed while running (facts ztunnel-wire 7.1).
 *
 * Invariant: a file that is missing or broken changes nothing: the list that was read last stays in force.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { parseRevocationLists, type RevocationKey } from '../tls/revocation-list.ts';

export interface CrlFileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with the whole list whenever it was read. */
  onList(keys: readonly RevocationKey[]): void;
}

/** A volume update is several events. */
const DEBOUNCE_MS = 2000;

export class CrlFile {
  readonly #path: string;
  readonly #deps: CrlFileDeps;
  #watcher: FSWatcher | undefined;
  #pending: Timer | undefined;

  constructor(path: string, deps: CrlFileDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  /** Reads the file and follows its directory: mounted volumes replace files by renaming beside them. */
  start(): void {
    this.#read();
    const { clock, logger } = this.#deps;
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => {
        this.#pending ??= clock.after(DEBOUNCE_MS, () => {
          this.#pending = undefined;
          this.#read();
        });
      });
      this.#watcher.on('error', (error) =>
        logger.warn('CRL directory is no longer watched', { error: errorText(error) }),
      );
    } catch (error) {
      logger.warn('CRL directory cannot be watched', { path: this.#path, error: errorText(error) });
    }
  }

  stop(): void {
    this.#pending?.cancel();
    this.#watcher?.close();
  }

  #read(): void {
    const { logger, onList } = this.#deps;
    let file: Buffer;
    try {
      file = readFileSync(this.#path);
    } catch (error) {
      logger.warn('CRL cannot be read', { path: this.#path, error: errorText(error) });
      return;
    }
    const parsed = parseRevocationLists(file);
    if (!parsed.ok) {
      logger.error('CRL refused', { path: this.#path, error: parsed.error });
      return;
    }
    logger.info('CRL in force', { path: this.#path, revoked: parsed.value.length });
    onList(parsed.value);
  }
}
