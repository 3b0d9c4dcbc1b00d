/** A certificate authority kept in a directory in the `cacerts` layout: watched by the kernel, and looked at now and then. */
import { type FSWatcher, watch } from 'node:fs';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type CaMaterial, loadCaFiles } from './ca-files.ts';

export interface DirectoryCaOptions {
  readonly directory: string;
  /** How often the files are looked at where the kernel reports no change. Default 10 s. */
  readonly rescanMs?: number;
}

const DEFAULT_RESCAN_MS = 10_000;
/** Files of one update follow each other closely; one read sees them all. */
const SETTLE_MS = 50;

export class DirectoryCaSource {
  readonly #options: DirectoryCaOptions;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };

  constructor(options: DirectoryCaOptions, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Rejects with an AmbitError that names the file and the reason. */
  load(nowMs: number): Promise<CaMaterial> {
    return loadCaFiles(this.#options.directory, nowMs);
  }

  /** Calls back after changes, and every `rescanMs`. @returns ends it */
  watch(changed: () => void): () => void {
    const { clock } = this.#deps;
    let settle: Timer | undefined;
    let rescan: Timer | undefined;
    const watcher = this.#watchFiles(() => {
      settle ??= clock.after(SETTLE_MS, () => {
        settle = undefined;
        changed();
      });
    });
    const rescanLater = () => {
      rescan = clock.after(this.#options.rescanMs ?? DEFAULT_RESCAN_MS, () => {
        changed();
        rescanLater();
      });
    };
    rescanLater();
    return () => {
      watcher?.close();
      settle?.cancel();
      rescan?.cancel();
    };
  }

  #watchFiles(changed: () => void): FSWatcher | undefined {
    const { logger } = this.#deps;
    try {
      const watcher = watch(this.#options.directory, { persistent: false }, changed);
      watcher.on('error', (error) => logger.warn('watch on CA files ended', { reason: errorText(error) }));
      return watcher;
    } catch (error) {
      logger.warn('CA files are polled, the kernel cannot watch them', { reason: errorText(error) });
      return undefined;
    }
  }
}
