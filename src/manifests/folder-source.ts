/**
 * Folders of manifests as the source of objects: what Kubernetes' API server is to a cluster.
 *
 * Invariants:
 * - Every change is found: fs.watch says when to look, a rescan every few seconds looks anyway.
 * - A file is read only when its identity (inode, size, times) changed; one scan runs at a time.
 * - Objects go only when their file is seen without them for SETTLE_MS: an editor that truncates and writes, or moves
 *   the old file away first, never makes a policy disappear for a moment.
 * - Walks are bounded: depth, number of files, size per file; links to directories are not followed.
 */
import type { Dirent, Stats } from 'node:fs';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { AmbitError, errorText, systemErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { MAX_MANIFEST_BYTES } from '../model/manifest/parse-manifest.ts';
import { ManifestSet } from './manifest-set.ts';
import type { ObjectStore } from './object-store.ts';

export type FolderSourceErrorCode = 'CONFIG_FOLDER_UNREADABLE';

export interface FolderSourceOptions {
  /** Folders, the first one wins when several define an object. */
  readonly folders: readonly string[];
  /** How long changes may settle before the folder is read, in milliseconds. Default 2. */
  readonly debounceMs?: number;
  /** How often the folder is read without being told. Default 2000 ms. */
  readonly rescanMs?: number;
}

export interface FolderSourceDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: ObjectStore;
  /** Called after each scan that changed anything, problems included. */
  readonly onScan?: () => void;
}

interface FoundFile {
  readonly path: string;
  readonly identity: string;
  readonly bytes: number;
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);
const MAX_DEPTH = 8;
const MAX_FILES = 20_000;
const MAX_SCANS_IN_A_ROW = 3;
const SETTLE_MS = 50;

export class FolderSource {
  readonly manifests: ManifestSet;
  readonly #options: FolderSourceOptions;
  readonly #deps: FolderSourceDeps;
  readonly #identities = new Map<string, string>();
  /** Files whose objects may be about to go: the state seen, and since when. */
  readonly #doubtful = new Map<string, { readonly identity: string; readonly sinceMs: number }>();
  readonly #watchers = new Map<string, FSWatcher>();
  #debounce: Timer | undefined;
  #settle: Timer | undefined;
  #rescan: Timer | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: FolderSourceOptions, deps: FolderSourceDeps) {
    this.#options = options;
    this.#deps = deps;
    this.manifests = new ManifestSet((file) =>
      options.folders.findIndex((folder) => file.startsWith(join(folder, '/'))),
    );
  }

  /** Reads everything once, then follows changes. Rejects with an AmbitError when a folder cannot be listed. */
  async start(): Promise<void> {
    for (const folder of this.#options.folders) await checkFolder(folder);
    await this.scan();
    this.#rescanLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#debounce?.cancel();
    this.#rescan?.cancel();
    this.#settle?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Looks for changes now. Resolves when objects found so far are in the store. */
  async scan(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#scanUntilQuiet();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #scanUntilQuiet(): Promise<void> {
    for (let round = 0; round < MAX_SCANS_IN_A_ROW; round++) {
      this.#again = false;
      await this.#scanOnce();
      if (!this.#again || this.#stopped) return;
    }
    this.#scanSoon();
  }

  async #scanOnce(): Promise<void> {
    const found = new Map<string, FoundFile>();
    const directories = new Set<string>();
    let complete = true;
    for (const folder of this.#options.folders)
      complete = (await this.#walk(folder, 0, found, directories)) && complete;
    if (this.#stopped) return;
    this.#watchDirectories(directories);
    let changed = false;
    for (const file of found.values()) changed = (await this.#readIfChanged(file)) || changed;
    // A folder that cannot be listed for a moment must not take its objects away.
    if (complete) changed = this.#forgetMissing(found) || changed;
    if (changed && !this.#stopped) this.#deps.onScan?.();
  }

  async #walk(
    directory: string,
    depth: number,
    found: Map<string, FoundFile>,
    directories: Set<string>,
  ): Promise<boolean> {
    const entries = await this.#list(directory);
    if (entries === undefined) return false;
    directories.add(directory);
    let complete = true;
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) complete = (await this.#walk(path, depth + 1, found, directories)) && complete;
      } else if (EXTENSIONS.has(extname(entry.name)) && found.size < MAX_FILES) {
        const stats = await statOf(path);
        if (stats?.isFile()) found.set(path, { path, identity: identityOf(stats), bytes: stats.size });
      }
    }
    return complete;
  }

  async #list(directory: string): Promise<Dirent[] | undefined> {
    try {
      return await readdir(directory, { withFileTypes: true });
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT' && !this.#options.folders.includes(directory)) return [];
      this.#deps.logger.warn('manifest folder cannot be listed', { directory, reason: errorText(error) });
      return undefined;
    }
  }

  async #readIfChanged(file: FoundFile): Promise<boolean> {
    if (this.#identities.get(file.path) === file.identity) return false;
    this.#identities.set(file.path, file.identity);
    const { store, logger } = this.#deps;
    if (file.bytes > MAX_MANIFEST_BYTES) {
      this.#apply(this.manifests.setUnreadable(file.path, `the file is larger than ${MAX_MANIFEST_BYTES} bytes`));
      return true;
    }
    try {
      const text = await readFile(file.path, 'utf8');
      const delta = this.manifests.setFile(file.path, text, this.#isSettled(file.path, file.identity));
      // Forgotten, so that the next scan reads the file again.
      if (delta.withheld) this.#identities.delete(file.path);
      else this.#doubtful.delete(file.path);
      this.#apply(delta);
      logger.debug('manifest read', { file: file.path, objects: store.size });
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') this.#identities.delete(file.path);
      else this.#apply(this.manifests.setUnreadable(file.path, `cannot be read: ${errorText(error)}`));
    }
    return true;
  }

  #forgetMissing(found: ReadonlyMap<string, FoundFile>): boolean {
    const missing = [...this.manifests.files].filter((file) => !found.has(file) && this.#isSettled(file, 'missing'));
    for (const file of missing) {
      this.#identities.delete(file);
      this.#doubtful.delete(file);
      this.#apply(this.manifests.removeFile(file));
    }
    return missing.length > 0;
  }

  /** Whether a file has been in this state long enough to believe that something is gone; if not, looks again later. */
  #isSettled(path: string, identity: string): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    const seen = this.#doubtful.get(path);
    if (seen?.identity === identity && nowMs - seen.sinceMs >= SETTLE_MS) return true;
    if (seen?.identity !== identity) this.#doubtful.set(path, { identity, sinceMs: nowMs });
    this.#settle ??= this.#deps.clock.after(SETTLE_MS + 1, () => {
      this.#settle = undefined;
      if (!this.#stopped) void this.scan();
    });
    return false;
  }

  #apply(delta: ReturnType<ManifestSet['setFile']>): void {
    if (!this.#stopped) this.#deps.store.apply(delta.upserts, delta.removedKeys);
  }

  #watchDirectories(directories: ReadonlySet<string>): void {
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of directories) if (!this.#watchers.has(directory)) this.#watchDirectory(directory);
  }

  #watchDirectory(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#scanSoon());
      watcher.on('error', () => {
        // The directory went away, or the kernel ran out of watches: the rescan takes over.
        watcher.close();
        this.#watchers.delete(directory);
      });
      this.#watchers.set(directory, watcher);
    } catch (error) {
      this.#deps.logger.debug('folder is polled, the kernel cannot watch it', { directory, reason: errorText(error) });
    }
  }

  #scanSoon(): void {
    if (this.#stopped) return;
    this.#debounce ??= this.#deps.clock.after(this.#options.debounceMs ?? 2, () => {
      this.#debounce = undefined;
      void this.scan();
    });
  }

  #rescanLater(): void {
    if (this.#stopped) return;
    this.#rescan = this.#deps.clock.after(this.#options.rescanMs ?? 2000, () => {
      void this.scan().finally(() => this.#rescanLater());
    });
  }
}

async function checkFolder(folder: string): Promise<void> {
  try {
    await readdir(folder);
  } catch (error) {
    const message = `the manifest folder ${folder} cannot be listed (${errorText(error)}): create it or name another one`;
    throw new AmbitError<FolderSourceErrorCode>('CONFIG_FOLDER_UNREADABLE', message, { cause: error });
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch {
    // Gone between listing and looking: the next scan sees the folder without it.
    return undefined;
  }
}

function identityOf(stats: Stats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}
