/**
 * Keeps the CNI plugin installed on the host for as long as the agent runs, and after it, unless the mesh leaves the node.
 *
 * Invariants:
 * - one look at the files is under way at a time; a change meanwhile leads to another one;
 * - whatever others do to the files is put right: at once when the kernel tells, else at the next slow look.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.ts';
import { errorText, systemErrorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type CniFilesOptions, installCni, uninstallCni } from './cni-files.ts';

/** Others write several files in a row. */
const SETTLE_MS = 50;
const LOOK_MS = 10_000;
const RETRY_MS = 2000;
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free space on the node',
  EDQUOT: 'the disk quota is used up: free space on the node',
  EROFS:
    'the file system is read-only: mount the host folder read-write, or name another with CNI_NET_DIR or CNI_BIN_DIR',
  EACCES: 'permission denied: the agent has to run as root, and SELinux or AppArmor must allow it',
  EPERM: 'not permitted: the agent has to run as root, and SELinux or AppArmor must allow it',
  ENOTDIR: 'it is no folder: look at the mounts of the agent',
};

export interface CniInstallerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after each installation that changed a file, or failed. */
  readonly onInstall?: (result: 'success' | 'failure') => void;
}

export class CniInstaller {
  readonly #options: CniFilesOptions;
  readonly #deps: CniInstallerDeps;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #program = '';
  #problem: string | undefined = 'the CNI plugin is not installed yet';
  #stopped = false;

  constructor(options: CniFilesOptions, deps: CniInstallerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Why new pods may start without the mesh; undefined while the plugin is installed. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Installs, and begins to watch; resolves after the first try. */
  start(): Promise<void> {
    return this.#look();
  }

  /** Ends watching; the plugin stays. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    return this.#looking;
  }

  /** Takes the plugin away. Call `stop` before. Rejects with the error of the file system. */
  async uninstall(): Promise<void> {
    await this.#looking;
    await uninstallCni(this.#options);
    this.#deps.log.info('the CNI plugin is removed from the host');
  }

  #look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#install());
    return this.#looking;
  }

  async #install(): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#watchFolders();
      const result = await installCni(this.#options, this.#program);
      this.#program = result.program;
      // The installation makes a folder that was missing.
      this.#watchFolders();
      if (result.kind === 'no-network') {
        this.#setProblem(
          `no network is configured in ${this.#options.confDir} yet: is a CNI network plugin installed?`,
        );
      } else {
        if (result.changed.length > 0 || this.#problem !== undefined) this.#installed(result.file, result.changed);
        this.#problem = undefined;
      }
      this.#schedule(LOOK_MS);
    } catch (error) {
      const advice = ADVICE[systemErrorCode(error)];
      this.#setProblem(`the CNI plugin cannot be installed: ${advice ?? ''}${advice ? ': ' : ''}${errorText(error)}`);
      this.#deps.onInstall?.('failure');
      this.#schedule(RETRY_MS);
    }
  }

  #installed(file: string, changed: readonly string[]): void {
    this.#deps.log.info('the CNI plugin is installed', { file, changed: changed.join(',') || 'nothing' });
    this.#deps.onInstall?.('success');
  }

  #setProblem(text: string): void {
    if (text !== this.#problem) this.#deps.log.error(text);
    this.#problem = text;
  }

  #watchFolders(): void {
    this.#watch(this.#options.confDir);
    this.#watch(this.#options.binDir);
  }

  /** Watches a folder; what cannot be watched is looked at from time to time. */
  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    const forget = () => {
      this.#watchers.get(folder)?.close();
      this.#watchers.delete(folder);
    };
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        // A folder that was itself removed or replaced ends the watch.
        if (name === null || folder.endsWith(`/${name}`)) forget();
        if (name?.endsWith('.ambit-new') !== true) this.#schedule(SETTLE_MS);
      });
      watcher.on('error', forget);
      this.#watchers.set(folder, watcher);
    } catch (error) {
      this.#deps.log.debug('a folder cannot be watched', { folder, error: errorText(error) });
    }
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.after(delayMs, () => void this.#look());
  }
}
